"""Bring services to another template version: selection, plan, journal, merge, commit.

The modules follow the order in which that happens. One service's update has these states:

    planned             nothing is written
       |
    journal written     .svcgen-update/ has the old files ----- killed ----> recovered
       |                                                           |         the next command
    applied             all files are written ---------------------+         restores all files
       |      |
       |      | conflicts
       |      |
       |   awaiting user ---- --abort ------------------------------------> aborted
       |      |                                                              all files are
       |      | --continue                                                   restored
       |      |
    finished            the journal is removed, after a commit if one was asked for
"""

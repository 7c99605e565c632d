"""Bring services to another template version, in the order in which it happens.

A command selects services, plans a job for each, and runs the jobs in worker processes. One
service's update has these states; the journal is `SERVICE/.svcgen-update/`:

    planned ----> journal written ----> applied ----> finished
    nothing       the old files are     the merge     one commit, or the user's
    is written    copied                is written    working tree; no journal
                       |                  |    |
                       | killed           |    | conflicts
                       v                  |    v
                   recovered <------------+  awaiting user --- --continue ---> finished
                   the next command   killed      |
                   restores all files             +--- --abort ---> aborted
                                                                    all files are restored
"""

"""What each command of the command line does, one verb a module.

A command gets plain values and returns one `...Result`; it prints nothing.
"""

"""The commands below `svcgen template`: start, release and upgrade a company's template.

A command gets plain values and returns one `...Result`; it prints nothing.
"""

"""The command line: declares options, calls one command, prints its result.

The only importer of Typer and Rich; every other package returns values.
"""

"""The supervisor process of the local engine: starts, watches and replaces processes.

Runs apart from the command line, which talks to it over a socket.
"""

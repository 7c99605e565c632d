"""Servers and ports that the suite needs beside the service under test.

Stub callees, a TCP proxy before the database, well-known ports.
"""

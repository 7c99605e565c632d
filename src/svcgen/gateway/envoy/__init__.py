"""Envoy's configuration, built from the table of routes as plain data.

One module for each kind of xDS resource; nothing here reads or writes files.
"""

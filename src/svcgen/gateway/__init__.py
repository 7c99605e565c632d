"""The gateway: registrations become a table of routes, and the table becomes Envoy's files.

`envoy/` builds the files, `apply` writes them, `admin` asks a running Envoy.
"""

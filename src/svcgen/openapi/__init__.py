"""OpenAPI documents: reading them, comparing schemas, finding breaking changes.

Knows nothing of services and workspaces.
"""

"""Stitching: read all services, check that they fit together, write compose.yaml and gateway/.

In this order: fleet, checks, client_copies, stitch, manifest, write.
"""

"""The three-way merge of a service: three trees of files in, a list of changes out.

It reads and writes only the folders that the caller names.
"""

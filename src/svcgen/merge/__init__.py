"""The three-way merge of a service: three trees of files in, a list of changes out.

Pure: reads and writes nothing but trees that the caller names.
"""

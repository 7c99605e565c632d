"""Brings services to another template version, in the order in which it happens.

The states are drawn here.
"""

"""The rules for templates, behind `svcgen template check`.

Renders a template for many answers and reports each broken rule as a fault.
"""

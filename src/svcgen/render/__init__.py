"""Render a service from a template version and answers. Only this package imports Copier."""

"""The template and its versions, and the only place that imports Copier."""

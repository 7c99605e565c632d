"""`python -m app` serves."""

from app.server import serve

serve()

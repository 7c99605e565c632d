"""`python -m app` serves; `python -m app migrate` brings the database up to date."""

import sys

from app.config import fail
from app.migrate import migrate
from app.server import serve

match sys.argv[1:]:
    case []:
        serve()
    case ["migrate"]:
        migrate()
    case other:
        fail(f"there is no command {' '.join(other)}: write migrate, or nothing to serve")

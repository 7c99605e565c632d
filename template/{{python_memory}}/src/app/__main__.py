"""`python -m app` serves; `python -m app migrate` does nothing without a database."""

import sys

from app.config import fail
from app.server import serve

match sys.argv[1:]:
    case []:
        serve()
    case ["migrate"]:
        pass
    case args:
        fail(f"unknown command {' '.join(args)}: use migrate, or no argument to serve")

"""`python -m app` serves; `python -m app migrate` has nothing to bring up to date."""

import sys

from app.config import fail
from app.server import serve

match sys.argv[1:]:
    case []:
        serve()
    case ["migrate"]:
        pass
    case other:
        fail(f"there is no command {' '.join(other)}: write migrate, or nothing to serve")

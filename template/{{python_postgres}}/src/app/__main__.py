"""`python -m app` serves; `python -m app migrate` applies the database migrations."""

import sys

match sys.argv[1:]:
    case []:
        from app.server import serve

        serve()
    case ["migrate"]:
        from app.migrate import migrate

        migrate()
    case args:
        from app.config import fail

        fail(f"unknown command {' '.join(args)}: use migrate, or no argument to serve")

"""`python -m app` serves; `python -m app migrate` brings the database up to date."""

import sys

match sys.argv[1:]:
    case []:
        from app.server import serve

        serve()
    case ["migrate"]:
        from app.migrate import migrate

        migrate()
    case words:
        from app.config import fail

        fail(f"there is no command {' '.join(words)}: write migrate, or nothing to serve")

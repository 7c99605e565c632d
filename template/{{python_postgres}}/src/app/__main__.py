"""`python -m app` serves; `python -m app NAME` runs a job of `app.service`.

`python -m app migrate` applies the database migrations.
"""

import sys

match sys.argv[1:]:
    case []:
        from app.server import serve

        serve()
    case ["migrate"]:
        from app.migrate import migrate

        migrate()
    case args:
        from app.server import run_job

        run_job(" ".join(args))

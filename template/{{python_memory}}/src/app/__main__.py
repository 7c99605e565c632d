"""`python -m app` serves; `python -m app NAME` runs a job of `app.service`.

`python -m app migrate` does nothing without a database.
"""

import sys

from app.server import run_job, serve

match sys.argv[1:]:
    case []:
        serve()
    case ["migrate"]:
        pass
    case args:
        run_job(" ".join(args))

"""`python -m svcgen` is `svcgen`."""

from svcgen.cli import main

main()

"""`python -m svcgen` is `svcgen`."""

from svcgen.cli.app import main

main()

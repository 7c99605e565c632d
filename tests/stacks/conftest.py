"""What the stacks' own targets are run with."""

from tests.contract.conftest import postgres

__all__ = ["postgres"]

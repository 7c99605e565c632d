"""What the stacks' own targets are run with."""

import pytest

from tests.support.checkout import Checkout


@pytest.fixture(params=["in_memory", "with_database"])
def checkout(request: pytest.FixtureRequest) -> Checkout:
    """Each of a stack's two checkouts in turn."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Checkout)
    return made

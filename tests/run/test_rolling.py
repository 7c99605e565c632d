"""The order of steps in a rolling replacement, with an engine that records them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from svcgen.errors import SvcgenError
from svcgen.run.rolling import roll


class Recorder:
    """Replicas are numbers; `failing` is the step at which the new replica fails."""

    def __init__(self, failing: str = "", error: BaseException | None = None) -> None:
        self.steps: list[str] = []
        self._failing = failing
        self._error = error or SvcgenError("orders ended.", "Read more: svcgen logs orders")

    def _step(self, name: str, text: str = "") -> None:
        self.steps.append(f"{name} {text}".strip())
        if name == self._failing:
            raise self._error

    async def start(self, count: int) -> None:
        self._step("start", str(count))

    async def wait_ready(self) -> None:
        self._step("ready")

    async def wait_routable(self) -> None:
        self._step("routable")

    async def drain(self, replicas: Sequence[int]) -> None:
        self._step("drain", ",".join(map(str, replicas)))

    async def roll_back(self) -> None:
        self._step("roll back")


@pytest.mark.parametrize(
    ("old", "count", "surge", "steps"),
    [
        ([1], 1, 1, "start 1; ready; routable; drain 1; drain"),
        ([1, 2], 2, 2, "start 2; ready; routable; drain 1,2; drain"),
        ([1, 2], 1, 1, "start 1; ready; routable; drain 1; drain 2"),
        ([], 2, 2, "start 2; ready; routable; drain; drain"),
        ([1, 2], 0, 0, "drain 1,2"),
        (
            [1, 2],
            3,
            2,
            "start 2; ready; routable; drain 1,2; start 1; ready; routable; drain; drain",
        ),
    ],
)
def test_old_replicas_are_drained_once_new_ones_are_routable(
    old: list[int], count: int, surge: int, steps: str
) -> None:
    recorder = Recorder()
    asyncio.run(roll(recorder, old, count, surge))
    assert "; ".join(recorder.steps) == steps


@pytest.mark.parametrize("failing", ["start", "ready", "routable"])
@pytest.mark.parametrize(("old", "stays"), [([1], "The old one stays"), ([1, 2], "The old ones")])
def test_a_replica_that_fails_is_removed_and_the_old_ones_stay(
    failing: str, old: list[int], stays: str
) -> None:
    recorder = Recorder(failing)
    with pytest.raises(SvcgenError, match=f"orders ended.\nThe new replica was removed. {stays}"):
        asyncio.run(roll(recorder, old, 1, 1))
    assert recorder.steps[-1] == "roll back"
    assert not [step for step in recorder.steps if step.startswith("drain")]


def test_an_interrupted_replacement_is_rolled_back() -> None:
    recorder = Recorder("ready", asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(roll(recorder, [1], 1, 1))
    assert recorder.steps == ["start 1", "ready", "roll back"]

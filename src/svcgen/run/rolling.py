"""Rolling replacement: new replicas take over before old ones stop, so no request is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from svcgen.errors import SvcgenError

Replica_contra = TypeVar("Replica_contra", contravariant=True)
Old = TypeVar("Old")


class Rollout(Protocol[Replica_contra]):
    """The steps of a replacement for one service, as an engine does them.

    "New" are the replicas of the last `start`. Every step raises SvcgenError when it fails.
    """

    async def start(self, count: int) -> None:
        """Start new replicas next to the old ones; do not wait for them."""

    async def wait_ready(self) -> None:
        """Return when all new replicas are ready."""

    async def wait_routable(self) -> None:
        """Return when the gateway sends requests to all new replicas."""

    async def drain(self, replicas: Sequence[Replica_contra]) -> None:
        """Stop replicas after they have answered the requests that they have."""

    async def roll_back(self) -> None:
        """Remove the new replicas."""


async def roll(rollout: Rollout[Old], old: Sequence[Old], count: int, surge: int) -> None:
    """Start `count` new replicas, at most `surge` at a time, and drain the old ones.

    After each batch of new replicas as many old ones are drained, and the rest at the end. When a
    new replica fails, its batch is removed, the remaining old replicas stay, and SvcgenError has
    the reason. The same holds for Ctrl-C.
    """
    remaining = list(old)
    for started in range(0, count, surge or 1):
        batch = min(surge, count - started)
        try:
            await rollout.start(batch)
            await rollout.wait_ready()
            await rollout.wait_routable()
        except SvcgenError as error:
            await rollout.roll_back()
            if not remaining:
                raise
            stays = "The old one stays." if len(remaining) == 1 else "The old ones stay."
            problem = f"{error.problem}\nThe new replica was removed. {stays}"
            raise SvcgenError(problem, error.advice) from error
        except BaseException:
            await rollout.roll_back()
            raise
        await rollout.drain(remaining[:batch])
        remaining = remaining[batch:]
    await rollout.drain(remaining)

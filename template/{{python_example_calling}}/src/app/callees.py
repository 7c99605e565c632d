"""What the example reads from the called services. `app.clients` has the types of each one."""

import asyncio

from app.calls import Callee, Caller
from app.models import Summary


async def fetch_summaries(
    callees: list[Callee], depth: int, caller: Caller
) -> dict[str, Summary | None]:
    """Fetch the summary of each called service; null where `depth` ends."""

    async def fetch(callee: Callee) -> Summary | None:
        if not depth:
            return None
        path, query = f"/v1/{callee.name}/summary", {"depth": depth - 1}
        return await callee.call("GET", path, Summary, caller, query=query)

    summaries = await asyncio.gather(*map(fetch, callees))
    return {callee.name: found for callee, found in zip(callees, summaries, strict=True)}

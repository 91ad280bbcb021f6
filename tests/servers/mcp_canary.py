"""A visit to a server, and what running canaries or health checks over it tells."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from lifesign.clock import Clock, SystemClock
from lifesign.core.model import Failure
from lifesign.net import Net
from lifesign.net.http import parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.canary import run_canaries
from lifesign.probes.mcp.checks.canary_settings import Canary
from lifesign.probes.mcp.client.http import Endpoint, HTTPLine
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Era
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

HEADERS = (
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
    ("Authorization", "Bearer s3cret-token"),
)
SECRETS = ("Bearer s3cret-token", "s3cret-token")


class Visitor:
    """Runs canaries against one server again and again, as the probe of one monitor does."""

    def __init__(
        self, url: str, *, era: Era = Era.LEGACY, clock: Clock | None = None, within: float = 5.0
    ) -> None:
        self.url = url
        self.era = era
        self.clock = clock or SystemClock()
        self.within = within
        self.memory: dict[str, object] = {}
        self.sheet = Sheet()
        self.opened = 0

    def context(self) -> ProbeContext:
        """The next run's context."""
        deadline = asyncio.get_running_loop().time() + self.within
        return ProbeContext(Net.open(), self.clock, deadline, memory=self.memory)

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Visit]:
        """A greeted visit; its session is ended and its connection closed."""
        self.opened += 1
        deadline = asyncio.get_running_loop().time() + self.within + 1
        endpoint = Endpoint(parse_url(self.url), HEADERS, TLSOptions(), SECRETS)
        line = HTTPLine(Net.open(), endpoint, deadline=deadline, phases={})
        visit = Visit(line, self.era, phases={})
        try:
            await visit.greet()
            yield visit
            await visit.leave(deadline)
        finally:
            visit.close()

    async def run(self, *canaries: Canary) -> Failure | None:
        """Run the canaries that are due; `sheet` has what was told."""
        self.sheet = Sheet()
        async with self.visit() as visit:
            return await run_canaries(
                visit,
                canaries,
                self.sheet,
                listed=await listed_by(visit),
                ctx=self.context(),
                open_visit=self.visit,
            )


async def listed_by(visit: Visit) -> Mapping[str, Mapping[str, object]]:
    """The server's tools by name."""
    import msgspec

    found = await visit.call("tools/list", step="tools_list")
    return {tool["name"]: tool for tool in msgspec.json.decode(found.raw)["tools"]}


def canary(*steps: Mapping[str, Any], **told: Any) -> Canary:
    """A canary of these steps, as it comes from JSON."""
    return Canary.model_validate({"name": "bees", "steps": list(steps)} | told)

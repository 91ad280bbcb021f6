"""What probes leave on a server: its memory after a thousand of ours, against as many visits of the official client.

PYTHONPATH=src:tests:. python -m bench.leftover             1,000 visits of each, about four minutes
PYTHONPATH=src:tests:. python -m bench.leftover --visits 200 --json

Every figure comes from a fresh server: warmed up with some visits of the same kind, measured, visited, measured again
after it had a moment to collect its garbage. Node collects it only when its heap is nearly full, so it gets a small one:
else one measures its laziness. A third client never says goodbye, so that one sees what that would cost.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from bench.cost import rss_mb
from bench.figures import Figure, document, machine, table
from e2e.mcp_servers import FAMILIES, Family, Served, running
from e2e.official_client import client_of
from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp.client.eras import arrive
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.settings import MCPSettings
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext, load_kinds

Visits = Callable[[Served, int], Awaitable[None]]

WARM_UP = 100
"""Enough for a runtime to have compiled and allocated what it needs for any visit."""

SETTLE_S = 2.0
DEADLINE_S = 20.0
SMALL_HEAP = "--max-old-space-size=64"
RUDE_SHARE = 5
"""The client without a goodbye makes only one visit in so many: a server with a small heap would not survive all."""

NAMES = ("everything", "two-eras", "handshake", "framework")


async def probes(served: Served, count: int) -> None:
    """Ours, one after the other, with what a monitor keeps between its runs."""
    kind, memory = load_kinds()["mcp"], {}
    settings = kind.settings.model_validate({"url": served.url, "era": "legacy"})
    for _ in range(count):
        observed = await observe(kind, settings, await context(memory))
        if observed.failure is not None:
            raise RuntimeError(observed.failure.message)


async def official(served: Served, count: int) -> None:
    """The SDK's client: greet, list the tools, end the session."""
    for _ in range(count):
        async with client_of(served) as client:
            await client.list_tools()


async def rude(served: Served, count: int) -> None:
    """Our client without its goodbye: what a checker leaves that only opens sessions."""
    for _ in range(count):
        async with greeted(served):
            pass


async def context(memory: MutableMapping[str, object]) -> ProbeContext:
    """What a run is given."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    return ProbeContext(Net.open(), SystemClock(), deadline, memory=memory)


@asynccontextmanager
async def greeted(served: Served) -> AsyncIterator[None]:
    """A session that is opened and never ended."""
    plan = Plan.of(MCPSettings(url=served.url, era="legacy"))
    loop = asyncio.get_running_loop()
    lines = HTTPLines(Net.open(), plan.endpoint, deadline=loop.time() + DEADLINE_S, phases={})
    arrival = await arrive(lines, plan.wanted, None, now=loop.time)
    try:
        yield
    finally:
        arrival.visit.close()


CLIENTS: dict[str, Visits] = {"ours": probes, "official SDK": official, "without goodbye": rude}


@dataclass(frozen=True, slots=True)
class Growth:
    """How much a server grew, in MB (10^6 bytes), over `visits`."""

    mb: float
    visits: int

    @property
    def kib_a_visit(self) -> float:
        """The same for one visit."""
        return self.mb * 1e6 / 1024 / self.visits


def growth(family: Family, visit: Visits, visits: int) -> Growth:
    """The growth of a fresh server over that many visits."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running(family, Path(directory), NODE_OPTIONS=SMALL_HEAP) as up,
    ):
        served = next(each for each in up.served if each.door.session)
        assert served.child is not None
        asyncio.run(_visit(visit, served, WARM_UP))
        before = _settled(served.child.pid)
        asyncio.run(_visit(visit, served, visits))
        return Growth(_settled(served.child.pid) - before, visits)


async def _visit(visit: Visits, served: Served, count: int) -> None:
    await visit(served, count)


def _settled(pid: int) -> float:
    Event().wait(SETTLE_S)
    return rss_mb(pid)


def leftovers(names: tuple[str, ...], visits: int) -> Iterator[Figure]:
    """For each server, what each client leaves."""
    for name in names:
        found = {
            who: growth(FAMILIES[name], visit, visits // (RUDE_SHARE if visit is rude else 1))
            for who, visit in CLIENTS.items()
        }
        aim = f"no more than the SDK's {found['official SDK'].kib_a_visit:.2f}"
        for who, grown in found.items():
            yield Figure(
                f"{name}: left by a visit, {who}",
                grown.kib_a_visit,
                "KiB",
                aim if who == "ours" else "",
                f"{grown.mb:+.1f} MB after {grown.visits:,} visits",
            )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.leftover", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(NAMES), help="families of servers")
    parser.add_argument("--visits", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    # Being told to end ends the servers too: they have process groups of their own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    figures = list(leftovers(tuple(asked.names), asked.visits))
    text = document(figures) if asked.json else f"{machine()}\n\n{table(figures)}"
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

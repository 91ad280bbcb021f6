"""Canaries: calls of tools with known arguments, each canary with a period and a weight of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from lifesign.core.model import Failure, Level
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.canary_round import Round, Tools, refusal
from lifesign.probes.mcp.checks.canary_settings import Canary
from lifesign.probes.mcp.checks.periodic import Shelf, Told, Trouble, named, tell, worst_first
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

LEAST_S = 0.25
"""With less time than this left, a canary waits for the next probe: it would only measure our own haste."""

OpenVisit = Callable[[], AbstractAsyncContextManager[Visit]]
"""Opens one more visit to the same server: greeted when it is entered, ended when it is left."""


async def run_canaries(
    visit: Visit,
    canaries: Sequence[Canary],
    sheet: Sheet,
    *,
    listed: Tools | None,
    ctx: ProbeContext,
    open_visit: OpenVisit | None = None,
) -> Failure | None:
    """Run the canaries that are due, one after another, and tell the last word of the others.

    `listed` are the server's tools by name; None when they were not read, because none was due (`is_any_due`).
    Returns the first failure that weighs `fails`; the others become findings. Facts are `canary.<name>.state`,
    `duration_ms` and `checked_at`; the phase `tools_call` is the time that all calls of this probe took. Copies
    that run at once each need a line of their own: without `open_visit` only one runs.
    """
    shelf = Shelf.of(ctx.memory, "canary")
    shelf.forget_others([canary.name for canary in canaries])
    started, ran = time.perf_counter(), False
    failure: Failure | None = None
    for canary in canaries:
        every_s, now_s = canary.every.total_seconds(), ctx.clock.monotonic()
        is_due = shelf.is_due(canary.name, canary, every_s=every_s, now_s=now_s)
        if listed is not None and is_due and _has_time(ctx):
            told, ran = await _run(visit, canary, listed, ctx=ctx, open_visit=open_visit), True
            shelf.keep(canary.name, canary, told, now_s=now_s)
        last = shelf.last(canary.name, canary) or Told({"state": "unknown"})
        found = tell(last, sheet, prefix=f"canary.{canary.name}", weight=canary.weight)
        failure = sheet.first(failure, found)
    if ran:
        sheet.phases["tools_call"] = (time.perf_counter() - started) * 1000
    return failure


def is_any_due(canaries: Sequence[Canary], ctx: ProbeContext) -> bool:
    """Whether `run_canaries` would call a tool, so that the list of tools is worth reading for it."""
    shelf, now_s = Shelf.of(ctx.memory, "canary"), ctx.clock.monotonic()
    return any(
        shelf.is_due(each.name, each, every_s=each.every.total_seconds(), now_s=now_s)
        for each in canaries
    )


def _has_time(ctx: ProbeContext) -> bool:
    return ctx.deadline - asyncio.get_running_loop().time() >= LEAST_S


async def _run(
    visit: Visit,
    canary: Canary,
    listed: Tools,
    *,
    ctx: ProbeContext,
    open_visit: OpenVisit | None,
) -> Told:
    checked_at = ctx.clock.now().isoformat()
    refused = refusal(canary, listed)
    if refused is not None:
        told = Told({}, (Trouble(Level.FAIL, refused),))
    else:
        told = await _run_copies(visit, canary, listed, ctx=ctx, open_visit=open_visit)
    facts = {"state": told.state.value, **told.facts, "checked_at": checked_at}
    return Told(facts, told.troubles)


async def _run_copies(
    visit: Visit,
    canary: Canary,
    listed: Tools,
    *,
    ctx: ProbeContext,
    open_visit: OpenVisit | None,
) -> Told:
    """Run all copies at once, the first one over the visit that is open already; the slowest one counts."""
    copies = canary.concurrency if open_visit is not None else 1
    rounds: list[asyncio.Task[Told]] = []
    async with asyncio.TaskGroup() as group:
        for number in range(1, copies + 1):
            opened = open_visit() if open_visit is not None and number > 1 else _lent(visit)
            copy = _run_copy(opened, canary, listed, ctx=ctx, number=number)
            rounds.append(group.create_task(copy))
    return _together([task.result() for task in rounds])


async def _run_copy(
    opened: AbstractAsyncContextManager[Visit],
    canary: Canary,
    listed: Tools,
    *,
    ctx: ProbeContext,
    number: int,
) -> Told:
    """One copy over a visit; one that cannot even be opened is a failure of the canary."""
    try:
        async with opened as visit:
            return await Round(visit, canary, listed, ctx.clock, ctx.deadline, number).run()
    except NetError as error:
        who = f"Canary `{canary.name}`: one more visit (copy {number} of {canary.concurrency})"
        return Told({}, (Trouble(Level.FAIL, named(error.failure, who)),))


@asynccontextmanager
async def _lent(visit: Visit) -> AsyncIterator[Visit]:
    yield visit


def _together(copies: list[Told]) -> Told:
    """What several copies tell: the troubles of the worst, and the time of the slowest."""
    worst = max(copies, key=lambda told: (told.state == "down", told.state == "degraded"))
    times = [told.facts["duration_ms"] for told in copies if "duration_ms" in told.facts]
    facts = {"duration_ms": max(map(float, map(str, times)))} if times else {}
    ill = sum(told.state != "up" for told in copies)
    if len(copies) == 1 or not ill:
        return Told(facts, worst.troubles)
    share = f"{ill} of {len(copies)} at once"
    troubles = [Trouble(each.level, named(each.failure, share)) for each in worst.troubles]
    return Told(facts, worst_first(troubles))

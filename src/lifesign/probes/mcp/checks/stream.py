"""Whether streams flow: progress must arrive before the result, and an idle stream must show that it lives.

A proxy that buffers delivers everything at the end: each answer is right, and every client that waits for progress,
or whose idle connection is cut, is broken.
"""

import asyncio
import time
from collections.abc import Mapping

from lifesign.core.model import Failure, Level
from lifesign.probes.mcp.checks.periodic import Told, Trouble
from lifesign.probes.mcp.checks.primitive_settings import StreamCheck
from lifesign.probes.mcp.checks.primitives import periodic, trouble
from lifesign.probes.mcp.client.http import HTTPLine
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Notice
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

BUFFERED_MS = 30.0
"""Progress that comes no earlier than this before the result came together with it."""
WORTH_MS = 200.0
"""A call that is over sooner says nothing about buffering: its progress may rightly come together with its result."""
SPARE_S = 1.0

Tools = Mapping[str, Mapping[str, object]]


async def check_stream(
    visit: Visit, sheet: Sheet, ctx: ProbeContext, check: StreamCheck, *, listed: Tools
) -> Failure | None:
    """Call the tool and listen to the idle stream, as configured and when due."""
    return await periodic("stream", check, lambda: _look(visit, ctx, check, listed), sheet, ctx)


async def _look(visit: Visit, ctx: ProbeContext, check: StreamCheck, listed: Tools) -> Told:
    facts: dict[str, object] = {}
    troubles: tuple[Trouble, ...] = ()
    if check.tool:
        told = await _progress(visit, check, listed)
        facts, troubles = dict(told.facts), told.troubles
    if check.alive is not None and isinstance(visit.line, HTTPLine):
        told = await _listen(visit.line, ctx, check.alive.total_seconds())
        facts |= told.facts
        troubles += told.troubles
    return Told(facts, troubles)


async def _progress(visit: Visit, check: StreamCheck, listed: Tools) -> Told:
    tool = listed.get(check.tool)
    if tool is None:
        message = f"The stream check did not run: the server lists no tool `{check.tool}`."
        return Told({}, (trouble("tools_call", "tool_missing", message),))
    hints = tool.get("annotations")
    if not isinstance(hints, Mapping) or hints.get("readOnlyHint") is not True:
        message = f"The stream check did not run: the tool `{check.tool}` does not say that it only reads."
        return Told({}, (trouble("tools_call", "not_read_only", message),))
    seen: list[float] = []
    started = time.perf_counter()

    def note(notice: Notice) -> None:
        if notice.method == "notifications/progress":
            seen.append((time.perf_counter() - started) * 1000)

    params = {"name": check.tool, "arguments": check.arguments, "_meta": {"progressToken": "lifesign"}}  # fmt: skip
    await visit.call("tools/call", params, step="tools_call", name=check.tool, on_notice=note)
    took = (time.perf_counter() - started) * 1000
    facts = {"progress": len(seen), "result_ms": round(took, 3)}
    if not seen:
        message = (
            f"The tool `{check.tool}` sent no progress before its result, although it was asked to."
        )
        return Told(facts, (trouble("session", "sse_buffered", message, Level.INFO),))
    facts["first_progress_ms"] = round(seen[0], 3)
    if took >= WORTH_MS and took - seen[0] < BUFFERED_MS:
        message = f"The first progress of `{check.tool}` came after {seen[0]:.0f} ms, together with the result ({took:.0f} ms)."
        return Told(facts, (trouble("session", "sse_buffered", message, Level.WARN),))
    return Told(facts)


async def _listen(line: HTTPLine, ctx: ProbeContext, within_s: float) -> Told:
    left_s = ctx.deadline - asyncio.get_running_loop().time() - SPARE_S
    if left_s < within_s:
        return Told({"alive": "the time-out is shorter than the sign of life that is waited for"})
    heard = await line.listen(within_s)
    if heard.status != 200:
        return Told({"alive": f"not offered (HTTP {heard.status})"})
    if heard.after_ms is None:
        message = (
            f"An idle stream to {line.url.shown} showed no sign of life within {within_s:g} s."
        )
        return Told({"alive": "silent"}, (trouble("session", "no_keepalive", message, Level.WARN),))
    return Told({"alive": "yes", "sign_of_life_ms": round(heard.after_ms, 3)})

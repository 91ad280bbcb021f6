"""The probe of a server over stdio: start the program, greet, list, try, end it; the first layer that fails is the diagnosis.

Starting programs is for operators to allow (`mcp.allow_commands`): whoever may add such a monitor runs what they
like as the user of this server. A start costs a hundred times what a probe over HTTP costs, hence a lane of its own.

`phases_ms` has spawn (from the start to the first line that the program wrote) and what the kind `mcp` has from jsonrpc on.
"""

import asyncio
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace

from lifesign.core.model import Failure, Level, Observation
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.health import with_health
from lifesign.probes.mcp.client.eras import Dialect, Wanted, arrive
from lifesign.probes.mcp.client.last_words import counted
from lifesign.probes.mcp.client.process import inherited
from lifesign.probes.mcp.client.stdio import Launch, StdioLines
from lifesign.probes.mcp.client.wire import Era
from lifesign.probes.mcp.examine import Examined, examine, note_greeting
from lifesign.probes.mcp.run import LADDER as OVER_HTTP
from lifesign.probes.mcp.sheet import Sheet, failed
from lifesign.probes.mcp.stdio_settings import StdioFacts, StdioSettings, target
from lifesign.probes.registry import ProbeContext, probe

FAREWELL_S = 3.0
"""At most this much of the time is kept for ending the program; servers that heed the protocol need milliseconds."""

LADDER = ("spawn", *(rung for rung in OVER_HTTP if rung not in {"dns", "tcp", "tls", "http"}))

_SHORT = 4
"""A secret shorter than this is not searched for in evidence: it would blot out ordinary words."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stays the same from run to run of one monitor, made once."""

    settings: StdioSettings
    launch: Launch
    wanted: Wanted

    @classmethod
    def of(cls, settings: StdioSettings) -> "_Plan":
        given = {name: value.get_secret_value() for name, value in settings.env.items()}
        secrets = sorted((each for each in given.values() if len(each) >= _SHORT), key=len)
        launch = Launch(
            command=settings.command,
            shown=target(settings),
            env=inherited(os.environ) | given,
            cwd=settings.cwd,
            secrets=tuple(secrets[::-1]),
        )
        era = None if settings.era == "auto" else Era(settings.era)
        return cls(settings, launch, Wanted(era, "stdio", settings.protocol_version or ""))


@probe(
    "mcp-stdio",
    settings=StdioSettings,
    facts=StdioFacts,
    title="MCP server (stdio)",
    target=target,
    ladder=LADDER,
    interval_s=300.0,
    least_interval_s=60.0,
    timeout_s=30.0,
    lane="programs",
)
async def watch_stdio(settings: StdioSettings, ctx: ProbeContext) -> Observation:
    """Do as a client does, and say how far it got."""
    if not ctx.may_spawn:
        message = (
            f"The program {target(settings)} was not started: this installation starts no programs."
        )
        return Observation(failure=failed("stdio", "not_allowed", message))
    plan = ctx.memory.get("mcp.stdio_plan")
    if not isinstance(plan, _Plan) or plan.settings is not settings:
        plan = ctx.memory["mcp.stdio_plan"] = _Plan.of(settings)
    return await with_health(settings.health, ctx, _observe(plan, ctx))


async def _observe(plan: _Plan, ctx: ProbeContext) -> Observation:
    """Start the program, go as far as it goes, and end it."""
    sheet = Sheet()
    lines = StdioLines(
        plan.launch, deadline=_talk_until(ctx), over=ctx.deadline, phases=sheet.phases
    )
    started, examined, failure = time.perf_counter(), Examined(), None
    is_through = False
    async with lines:
        try:
            examined = await _converse(lines, plan, sheet, ctx)
            failure, is_through = examined.failure, True
        except NetError as error:
            failure = error.failure
            if failure.layer == "stdio":
                # What ends or is silent may have become another program since: it is greeted anew next time.
                ctx.memory.pop("mcp.dialect", None)
        sheet.note_latency((time.perf_counter() - started) * 1000, is_through=is_through)
    if failure is not None and lines.line is not None:
        failure = lines.line.with_last_words(failure)
    _note_program(lines, sheet, failure)
    return Observation(
        sheet.facts, sheet.phases, failure, tuple(sheet.findings), surface=examined.surface
    )


async def _converse(lines: StdioLines, plan: _Plan, sheet: Sheet, ctx: ProbeContext) -> Examined:
    known = ctx.memory.get("mcp.dialect")
    arrival = await arrive(
        lines,
        plan.wanted,
        known if isinstance(known, Dialect) else None,
        now=ctx.clock.monotonic,
    )
    if arrival.dialect.ignores_discover:
        ctx.memory.pop("mcp.dialect", None)
        if lines.line is not None and not lines.line.was_late:
            message = "`server/discover` was left without an answer; `initialize` was answered."
            sheet.find(Level.WARN, "discover", "hang", message)
    else:
        version = arrival.visit.greeting.server_version
        ctx.memory["mcp.dialect"] = replace(arrival.dialect, server_version=version)
    note_greeting(arrival, sheet)
    visit = arrival.visit
    # Calls at once share the one line, as they do in a real client.
    return await examine(visit, plan.settings, sheet, ctx, open_visit=lambda: nullcontext(visit))


def _note_program(lines: StdioLines, sheet: Sheet, failure: Failure | None) -> None:
    """What is known of a program once it has ended."""
    if lines.line is None:
        return
    process, strays = lines.line.process, lines.strays
    sheet.facts["program.ended_by"] = process.ended_by
    sheet.facts["program.stray_lines"] = strays.count
    if process.status is not None:
        sheet.facts["program.exit_code"] = process.status
    if process.is_deaf and failure is None:
        message = "The program went on after its stdin was closed, and had to be told to end."
        sheet.find(Level.INFO, "stdio", "deaf", message)
    if strays.count and (failure is None or failure.code != "stdout_pollution"):
        first = " ".join(lines.shown_strays()[0].split())
        message = f"The program wrote {counted(strays.count)} to stdout that no client can read, the first: {first}"
        sheet.find(Level.WARN, "stdio", "stdout_pollution", message)


def _talk_until(ctx: ProbeContext) -> float:
    """The deadline of everything but the farewell."""
    left = ctx.deadline - asyncio.get_running_loop().time()
    return ctx.deadline - min(FAREWELL_S, 0.3 * max(left, 0.0))

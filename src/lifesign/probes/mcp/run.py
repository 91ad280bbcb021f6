"""The probe of a server over HTTP: connect, greet, list, try, say goodbye; the first layer that fails is the diagnosis.

`phases_ms` has, in the order in which they ran and without overlap: dns, tcp, tls, http (first request to its status
line), jsonrpc (its envelope), discover or initialize (the rest of its reply), version, initialized, tools_list (all
pages), shape, tools_call.
"""

import asyncio
import time
from dataclasses import dataclass

from lifesign.core.model import Failure, Level, Observation
from lifesign.net.facts import tls_facts
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.answers import AnswerError, odd_content_type
from lifesign.probes.mcp.client.eras import Arrival, Dialect, arrive
from lifesign.probes.mcp.examine import Examined, examine, note_greeting
from lifesign.probes.mcp.facts import MCPFacts
from lifesign.probes.mcp.patience import Patience
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.settings import MCPSettings, guess, implied, target
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext, probe

FAREWELL_S = 0.5
"""At most this much of the time is kept for closing a session; one left open costs the server memory."""

LADDER = (
    "dns", "tcp", "tls", "http", "jsonrpc", "discover", "initialize", "version", "initialized", "tools_list", "shape",
    "tools_call",
)  # fmt: skip


@probe(
    "mcp",
    settings=MCPSettings,
    facts=MCPFacts,
    title="MCP server",
    target=target,
    ladder=LADDER,
    implied=implied,
    guess=guess,
    specificity=20,
)
async def watch(settings: MCPSettings, ctx: ProbeContext) -> Observation:
    """Do as a client does, and say how far it got."""
    patience = Patience.of(ctx)
    if patience.failure is not None:
        return Observation(failure=patience.failure)
    plan = ctx.memory.get("mcp.plan")
    if not isinstance(plan, Plan) or plan.settings is not settings:
        plan = ctx.memory["mcp.plan"] = Plan.of(settings)
    sheet = Sheet()
    return await _Run(plan, ctx, sheet).observe()


@dataclass(slots=True)
class _Run:
    """One run: what it was given and what it fills in."""

    plan: Plan
    ctx: ProbeContext
    sheet: Sheet

    async def observe(self) -> Observation:
        ctx, sheet = self.ctx, self.sheet
        started, examined, failure = time.perf_counter(), Examined(), None
        lines = HTTPLines(
            ctx.net, self.plan.endpoint, deadline=_talk_until(ctx), phases=sheet.phases
        )
        chain = None
        try:
            examined = await self._converse(lines)
            failure = examined.failure
        except NetError as error:
            failure, chain = await self._explain(error), error.chain
        sheet.facts["latency_ms"] = round((time.perf_counter() - started) * 1000, 3)
        self._note_connection(lines)
        chain = lines.current.chain or chain
        sheet.facts |= tls_facts(chain, ctx.net.trust.chains, now=ctx.clock.now())
        await lines.current.leave(ctx.deadline)
        lines.current.close()
        return Observation(
            sheet.facts, sheet.phases, failure, tuple(sheet.findings), surface=examined.surface
        )

    async def _converse(self, lines: HTTPLines) -> Examined:
        ctx, sheet = self.ctx, self.sheet
        known = ctx.memory.get("mcp.dialect")
        arrival = await arrive(
            lines,
            self.plan.wanted,
            known if isinstance(known, Dialect) else None,
            now=ctx.clock.monotonic,
        )
        self._remember(arrival)
        note_greeting(arrival, sheet)
        sheet.facts["framing"] = lines.current.framing
        return await examine(arrival.visit, self.plan.settings, sheet, ctx)

    def _remember(self, arrival: Arrival) -> None:
        """Keep what the server speaks, until it says that it is another version."""
        dialect, version = arrival.dialect, arrival.visit.greeting.server_version
        if arrival.ignored_discover:
            message = "`server/discover` was left without an answer; `initialize` was answered."
            self.sheet.find(Level.WARN, "discover", "hang", message)
        if dialect.server_version == version and not arrival.ignored_discover:
            self.ctx.memory["mcp.dialect"] = dialect
        else:
            self.ctx.memory.pop("mcp.dialect", None)

    async def _explain(self, error: NetError) -> Failure | None:
        """The failure to tell; a server that asks us to wait is not asked again before that."""
        if isinstance(error, AnswerError):
            Patience.learn(self.ctx, error)
        return error.failure

    def _note_connection(self, lines: HTTPLines) -> None:
        line, sheet = lines.current, self.sheet
        if line.first_status:
            sheet.facts["http.status"] = line.first_status
        if line.address:
            sheet.facts["ip"] = line.address
        if line.redirects:
            message = f"The server redirects to {line.redirects[-1]}."
            sheet.find(Level.INFO, "http", "moved_redirect", message)


def _talk_until(ctx: ProbeContext) -> float:
    """The deadline of everything but the farewell."""
    left = ctx.deadline - asyncio.get_running_loop().time()
    return ctx.deadline - min(FAREWELL_S, 0.05 * max(left, 0.0))


__all__ = ["odd_content_type", "watch"]

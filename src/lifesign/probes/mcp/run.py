"""The probe of a server over HTTP: connect, greet, list, try, say goodbye; the first layer that fails is the diagnosis.

`phases_ms` has, in the order in which they ran and without overlap: dns, tcp, tls, http (first request to its status
line), jsonrpc (its envelope), discover or initialize (the rest of its reply), version, initialized, tools_list (all
pages), shape, tools_call.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lifesign.core.model import Failure, Level, Observation
from lifesign.net.facts import tls_facts
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.health import with_health
from lifesign.probes.mcp.checks.truth import check_session
from lifesign.probes.mcp.client.answers import AnswerError
from lifesign.probes.mcp.client.credentials import Headers
from lifesign.probes.mcp.client.eras import Arrival, Dialect, arrive
from lifesign.probes.mcp.client.http import Endpoint, HTTPLine
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.examine import Examined, examine, note_greeting
from lifesign.probes.mcp.facts import MCPFacts
from lifesign.probes.mcp.patience import Patience
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.settings import MCPSettings, guess, implied, target
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.mcp.sign_in import SignIn
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
    plan = ctx.memory.get("mcp.plan")
    if not isinstance(plan, Plan) or plan.settings is not settings:
        plan = ctx.memory["mcp.plan"] = Plan.of(settings)
    patience = Patience.of(ctx)
    seen = _Run(plan, ctx, Sheet())
    look = seen.observe() if patience.failure is None else seen.wait(patience.failure)
    return await with_health(settings.health, ctx, look)


@dataclass(slots=True)
class _Run:
    """One run: what it was given and what it fills in."""

    plan: Plan
    ctx: ProbeContext
    sheet: Sheet
    _dialled: list[HTTPLines] = field(default_factory=list)

    async def wait(self, failure: Failure) -> Observation:
        """Leave the server alone as it asked, and go on telling why. The end of our credential comes nearer meanwhile."""
        return Observation(self.plan.credentials.facts(self.ctx), failure=failure)

    async def observe(self) -> Observation:
        """Go as far as it goes, end the session whatever happened, and settle what it means."""
        try:
            return await self._observe()
        finally:
            await self._part(FAREWELL_S)

    async def _observe(self) -> Observation:
        sheet, credentials, started = self.sheet, self.plan.credentials, time.perf_counter()
        try:
            headers = await credentials.headers(self.ctx)
        except NetError as error:
            sheet.facts |= credentials.facts(self.ctx)
            failure = await self._settle(error.failure, None)
            return Observation(sheet.facts, sheet.phases, failure)
        lines = self._lines(headers)
        examined, trouble = await self._go(lines)
        if trouble is not None and _is_rejection(trouble):
            lines, examined, trouble = await self._once_more(lines, trouble)
        took_ms = (time.perf_counter() - started) * 1000
        sheet.note_latency(took_ms, is_through=trouble is None)
        self._note_connection(lines, trouble)
        await self._part()
        failure = await self._settle(trouble.failure if trouble else examined.failure, trouble)
        return Observation(
            sheet.facts, sheet.phases, failure, tuple(sheet.findings), surface=examined.surface
        )

    async def _go(self, lines: HTTPLines) -> tuple[Examined, NetError | None]:
        try:
            return await self._converse(lines), None
        except NetError as error:
            return Examined(), error

    async def _once_more(
        self, lines: HTTPLines, refused: NetError
    ) -> tuple[HTTPLines, Examined, NetError | None]:
        """Another try with another token, if there is one to be had: some are called back before their time."""
        try:
            headers = await self.plan.credentials.renewed(self.ctx)
        except NetError as error:
            return lines, Examined(), error
        if headers is None:
            return lines, Examined(), refused
        await self._part(FAREWELL_S)
        self.sheet.phases.clear()
        again = self._lines(headers)
        return again, *await self._go(again)

    async def _settle(self, failure: Failure | None, error: NetError | None) -> Failure | None:
        """The failure to tell; a server that asks us to wait is not asked again before that."""
        answer = error.answer if isinstance(error, AnswerError) else None
        if isinstance(error, AnswerError):
            Patience.learn(self.ctx, error)
        sign_in = SignIn(self.plan, self.ctx, self.sheet)
        return await sign_in.settle(failure, answer, is_greeted="era" in self.sheet.facts)

    def _lines(self, headers: Headers) -> HTTPLines:
        lines = HTTPLines(
            self.ctx.net,
            self.plan.with_credential(headers),
            deadline=_talk_until(self.ctx),
            phases=self.sheet.phases,
        )
        self._dialled.append(lines)
        return lines

    async def _part(self, within_s: float = math.inf) -> None:
        """Say goodbye on all lines that are still open; a probe that is cancelled does so too, and is quick about it."""
        deadline = min(self.ctx.deadline, asyncio.get_running_loop().time() + within_s)
        while self._dialled:
            await self._dialled.pop().leave(deadline)

    async def _converse(self, lines: HTTPLines) -> Examined:
        arrival = await self._arrive(lines)
        self._remember(arrival)
        note_greeting(arrival, self.sheet)
        self.sheet.facts["framing"] = lines.current.framing
        visit, settings = arrival.visit, self.plan.settings
        # What is left for the farewell is nobody's time to try things in.
        ctx = self._until(lines.deadline)
        examined = await examine(
            visit,
            settings,
            self.sheet,
            ctx,
            audience=self.plan.credentials.audience,
            open_visit=lambda: self._another_visit(lines.endpoint),
        )
        lost = await check_session(visit, self.sheet, ctx, calls=settings.session_calls)
        return Examined(examined.surface, self.sheet.first(examined.failure, lost))

    def _until(self, deadline: float) -> ProbeContext:
        ctx = self.ctx
        return ProbeContext(ctx.net, ctx.clock, deadline, ctx.region, ctx.memory, ctx.may_spawn)

    async def _arrive(self, lines: HTTPLines) -> Arrival:
        known = self.ctx.memory.get("mcp.dialect")
        dialect = known if isinstance(known, Dialect) else None
        return await arrive(lines, self.plan.wanted, dialect, now=self.ctx.clock.monotonic)

    @asynccontextmanager
    async def _another_visit(self, endpoint: Endpoint) -> AsyncIterator[Visit]:
        """One more visit beside the first, for calls that run at the same time."""
        lines = HTTPLines(self.ctx.net, endpoint, deadline=_talk_until(self.ctx), phases={})
        try:
            arrival = await self._arrive(lines)
            yield arrival.visit
        finally:
            await lines.leave(self.ctx.deadline)

    def _remember(self, arrival: Arrival) -> None:
        """Keep what the server speaks, until it says that it is another version."""
        dialect, version = arrival.dialect, arrival.visit.greeting.server_version
        if dialect.ignores_discover:
            message = "`server/discover` is left without an answer; `initialize` is answered."
            self.sheet.find(Level.WARN, "discover", "hang", message)
        if dialect.server_version == version:
            self.ctx.memory["mcp.dialect"] = dialect
        else:
            self.ctx.memory.pop("mcp.dialect", None)

    def _note_connection(self, lines: HTTPLines, error: NetError | None) -> None:
        line, sheet, ctx = lines.current, self.sheet, self.ctx
        chain = line.chain or (error.chain if error is not None else None)
        sheet.facts |= tls_facts(chain, ctx.net.trust.chains, now=ctx.clock.now())
        sheet.facts |= self.plan.credentials.facts(ctx)
        if line.first_status:
            sheet.facts["http.status"] = line.first_status
        if line.address:
            sheet.facts["ip"] = line.address
        if line.redirects and 200 <= line.first_status < 300:
            message = f"The server redirects to {line.redirects[-1]}."
            sheet.find(Level.INFO, "http", "moved_redirect", message)
        if isinstance(line, HTTPLine) and line.odd_type:
            message = f"Good replies say that they are {line.odd_type}."
            sheet.find(Level.WARN, "http", "invalid_content_type", message)


def _is_rejection(error: NetError) -> bool:
    """Whether the server refused the very credential that was sent."""
    return (error.failure.layer, error.failure.code) == ("auth", "token_rejected")


def _talk_until(ctx: ProbeContext) -> float:
    """The deadline of everything but the farewell."""
    left = ctx.deadline - asyncio.get_running_loop().time()
    return ctx.deadline - min(FAREWELL_S, 0.05 * max(left, 0.0))

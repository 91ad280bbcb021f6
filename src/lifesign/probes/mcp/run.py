"""The probe: initialize → initialized → tools/list → end of session, and the first layer that fails.

1. POST `initialize`. A server that refuses the version but names others is asked once more.
2. POST `notifications/initialized` with the session and the agreed version.
3. `tools/list`, page by page, when the tools capability was declared.
4. DELETE the session when one was given, whatever happened before; that never fails the probe.

`phases_ms` has dns, tcp, tls, http (first POST to status line), initialize (first POST to its reply, so http is a
part of it), initialized and tools_list (all pages).
"""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass, field

from lifesign import __version__
from lifesign.core.model import Failure, Finding, Level, Observation
from lifesign.net.facts import tls_facts
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.answers import Answer, Exchange, judge_answer
from lifesign.probes.mcp.plan import Plan
from lifesign.probes.mcp.settings import MCPFacts, MCPSettings, guess, implied, target
from lifesign.probes.mcp.checks.shapes import Greeting, find_tool_problems, read_greeting, read_tools
from lifesign.probes.mcp.client.http import Conversation, elapsed_ms
from lifesign.probes.mcp.client.wire import (
    FIRST_LIST,
    FIRST_LIST_ID,
    INITIALIZE_ID,
    INITIALIZED,
    LATEST_ASKED,
    PUBLISHED,
    Fault,
    Result,
    RPCError,
    initialize_request,
    list_request,
)
from lifesign.probes.registry import ProbeContext, probe

FAREWELL_S = 0.5
"""At most this much of the time is kept for closing a session; one left open costs the server memory."""

MAX_PAGES = 50
MAX_TOOLS = 5000
MAX_NAMES = 100
MAX_NAME_CHARS = 100

LADDER = ("dns", "tcp", "tls", "http", "initialize", "initialized", "tools_list")


@dataclass(slots=True)
class _Sheet:
    """What one run fills in as it goes; it becomes the observation however far the run got."""

    facts: dict[str, object] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


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
    sheet, failure, started = _Sheet(), None, time.perf_counter()
    talk = Conversation(ctx.net, plan, deadline=_talk_until(ctx), phases=sheet.phases)
    with closing(talk):
        try:
            await _converse(talk, settings, sheet)
        except NetError as error:
            failure = error.failure
            talk.chain = talk.chain or error.chain
        sheet.facts["latency_ms"] = round(elapsed_ms(started), 3)
        _note_connection(talk, sheet)
        sheet.facts |= tls_facts(talk.chain, ctx.net.trust.chains, now=ctx.clock.now())
        await talk.leave(ctx.deadline)
    return Observation(sheet.facts, sheet.phases, failure, tuple(sheet.findings))


def _talk_until(ctx: ProbeContext) -> float:
    """The deadline of everything but the farewell."""
    left = ctx.deadline - asyncio.get_running_loop().time()
    return ctx.deadline - min(FAREWELL_S, 0.05 * max(left, 0.0))


async def _converse(talk: Conversation, settings: MCPSettings, sheet: _Sheet) -> None:
    greeting = await _initialize(talk, settings, sheet)
    await _acknowledge(talk, sheet)
    if "tools" in greeting.capabilities:
        await _list_tools(talk, sheet)


async def _initialize(talk: Conversation, settings: MCPSettings, sheet: _Sheet) -> Greeting:
    asked, started = settings.protocol_version or LATEST_ASKED, time.perf_counter()
    answer = await _ask_version(talk, asked)
    if (other := _other_version(answer, asked)) is not None:
        answer = await _ask_version(talk, other)
    exchange = talk.exchange_for("initialize")
    result = _result_of(exchange, answer)
    greeting = read_greeting(result.raw)
    if isinstance(greeting, Fault):
        raise NetError(
            exchange.failure(
                "initialize",
                greeting.code,
                f"got a result that {greeting.what}",
                "Compare the server's answer with the initialize result of the MCP schema.",
                answer=answer,
            )
        )
    if greeting.version not in PUBLISHED and greeting.version != settings.protocol_version:
        raise NetError(
            exchange.failure(
                "initialize",
                "unsupported_version",
                f"was answered with the protocol version {greeting.version!r}, which was never published",
                "Let the server answer with a published revision of the protocol.",
                answer=answer,
            )
        )
    talk.join(session=_session_of(answer), version=greeting.version)
    sheet.phases["initialize"] = elapsed_ms(started)
    _note_greeting(greeting, answer, sheet, has_session=bool(talk.session))
    return greeting


async def _ask_version(talk: Conversation, version: str) -> Answer:
    body = initialize_request(version, __version__)
    return await talk.post("initialize", body, request_id=INITIALIZE_ID)


def _other_version(answer: Answer, asked: str) -> str | None:
    """The newest published version that the server named when it refused the one we asked for."""
    if not isinstance(answer.reply, RPCError):
        return None
    known = [version for version in answer.reply.supported if version in PUBLISHED]
    return max((version for version in known if version != asked), default=None)


def _session_of(answer: Answer) -> str:
    """The session id, if it is one: visible ASCII, as the transport's specification demands."""
    session = answer.headers.get("mcp-session-id", "")
    is_visible = all("!" <= character <= "~" for character in session)
    return session if is_visible and len(session) <= 4096 else ""


def _note_greeting(greeting: Greeting, answer: Answer, sheet: _Sheet, *, has_session: bool) -> None:
    sheet.facts |= {
        "transport": answer.transport,
        "server.name": greeting.server_name,
        "server.version": greeting.server_version,
        "protocol_version": greeting.version,
        "capabilities": list(greeting.capabilities),
        "session": has_session,
    }


async def _acknowledge(talk: Conversation, sheet: _Sheet) -> None:
    started = time.perf_counter()
    answer = await talk.post("initialized", INITIALIZED, request_id=None)
    if failure := judge_answer(talk.exchange_for("initialized"), answer):
        raise NetError(failure)
    sheet.phases["initialized"] = elapsed_ms(started)


async def _list_tools(talk: Conversation, sheet: _Sheet) -> None:
    """Read every page. A cursor that comes again would never end; too many pages are cut and told."""
    started, seen = time.perf_counter(), set[str]()
    names: list[str] = []
    unsound: list[str] = []
    body, request_id = FIRST_LIST, FIRST_LIST_ID
    exchange = talk.exchange_for("tools_list")
    while True:
        answer = await talk.post("tools_list", body, request_id=request_id)
        page = read_tools(_result_of(exchange, answer).raw)
        if isinstance(page, Fault):
            raise NetError(_bad_list(exchange, page, answer))
        names += page.names
        unsound += page.unsound
        if page.cursor is None:
            break
        if page.cursor in seen:
            loop = Fault("pagination_loop", f"repeats a cursor on page {len(seen) + 1}")
            raise NetError(_bad_list(exchange, loop, answer))
        seen.add(page.cursor)
        if len(seen) >= MAX_PAGES or len(names) >= MAX_TOOLS:
            sheet.findings.append(_cut_list(len(names), len(seen)))
            break
        request_id += 1
        body = list_request(request_id, page.cursor)
    sheet.phases["tools_list"] = elapsed_ms(started)
    sheet.facts["tools.count"] = len(names)
    sheet.facts["tools.names"] = [name[:MAX_NAME_CHARS] for name in names[:MAX_NAMES]]
    sheet.findings += find_tool_problems(names, unsound)


def _result_of(exchange: Exchange, answer: Answer) -> Result:
    if failure := judge_answer(exchange, answer):
        raise NetError(failure)
    if isinstance(answer.reply, Result):
        return answer.reply
    raise NetError(
        exchange.failure("jsonrpc", "not_jsonrpc", "got no result", "Look at the server's log.")
    )


def _bad_list(exchange: Exchange, fault: Fault, answer: Answer) -> Failure:
    return exchange.failure(
        "tools_list", fault.code, f"got a list that {fault.what}",
        "Compare the server's answer with the tools/list result of the MCP schema.", answer=answer,
    )  # fmt: skip


def _cut_list(tools: int, pages: int) -> Finding:
    return Finding(
        Level.WARN, "tools_list", "truncated",
        f"The tool list goes on after {tools} tools on {pages} pages; the rest was not read.",
        "Offer fewer tools; clients stop reading too.",
    )  # fmt: skip


def _note_connection(talk: Conversation, sheet: _Sheet) -> None:
    if talk.first_status:
        sheet.facts["http.status"] = talk.first_status
    if talk.address:
        sheet.facts["ip"] = talk.address
    if talk.redirects:
        sheet.findings.append(
            Finding(
                Level.INFO,
                "http",
                "redirected",
                f"The server redirects to {talk.redirects[-1]}.",
                "Watch that address, and give it to clients.",
            )
        )

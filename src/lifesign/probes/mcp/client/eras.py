"""Which era and transport a server speaks: found out in the documented order, remembered, looked at again when it must.

1. POST `server/discover`: a result that names a stateless revision we speak is *modern*.
2. An outage (5xx, 429, a filter, the network) says nothing about the era: it ends the probe and is not remembered.
3. Anything else: POST `initialize`; a result is *legacy* over Streamable HTTP. A server that leaves `server/discover`
   without an answer is asked this too, and that is told.
4. Where `initialize` is refused with 400, 404 or 405: GET, and the old transport of two addresses.

What was found holds for a week, until the server's version changes, or until it answers as if it were not so.
"""

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Protocol

from lifesign.core.model import Reason
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.answers import AnswerError
from lifesign.probes.mcp.client.greeting import names_versions, versions_in
from lifesign.probes.mcp.client.line import Line
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import (
    HANDSHAKE_VERSIONS,
    MODERN_VERSIONS,
    Era,
    Result,
    RPCError,
)
from lifesign.probes.mcp.sheet import failed

KEEP_S = 7 * 86_400.0
"""How long a dialect is believed without being looked at again."""

DISCOVER_SHARE = 0.4
"""The part of the time that a silent `server/discover` may take before `initialize` is tried."""

_NOT_HERE = frozenset({400, 404, 405})
_TELLING = frozenset({401, 403, 421, 429})
_OUTAGE_CODES = frozenset({"rate_limited", "blocked_by_waf", "body_too_large", "redirect_loop"})
_OTHER_ERA = frozenset({-32601, -32602, -32600, -32022})


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server was found to speak. `found_at` is an instant of the monotonic clock.

    `ignores_discover`: it left `server/discover` without an answer and answered `initialize`.
    """

    era: Era
    transport: str
    found_at: float
    server_version: str = ""
    ignores_discover: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings insist on: an era, a transport (`http`, `sse`, `stdio`), a version. Empty means: find out."""

    era: Era | None = None
    transport: str = ""
    version: str = ""

    @property
    def fixed_era(self) -> Era | None:
        """The era that was asked for, by name or by version."""
        if self.era is not None or not self.version:
            return self.era
        return Era.MODERN if self.version in MODERN_VERSIONS else Era.LEGACY


class Lines(Protocol):
    """Makes lines to one server."""

    phases: MutableMapping[str, float]
    deadline: float

    def dial(self, transport: str) -> Line:
        """A new line; the one before is hung up."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A visit that was greeted, and what the server speaks."""

    visit: Visit
    dialect: Dialect


async def arrive(
    lines: Lines, wanted: Wanted, known: Dialect | None, *, now: Callable[[], float]
) -> Arrival:
    """Greet a server in what it speaks. Raises `NetError` with the failure that a person should read."""
    if known is not None and now() - known.found_at < KEEP_S:
        try:
            return await _as_known(lines, wanted, known)
        except AnswerError as error:
            if not _speaks_otherwise(error):
                raise
    return await _find_out(lines, wanted, now)


async def _as_known(lines: Lines, wanted: Wanted, known: Dialect) -> Arrival:
    visit = await _greeted(lines, known.transport, known.era, wanted)
    return Arrival(visit, known)


async def _greeted(lines: Lines, transport: str, era: Era, wanted: Wanted) -> Visit:
    visit = Visit(lines.dial(transport), era, phases=lines.phases, version=_version(wanted, era))
    await visit.greet()
    return visit


def _version(wanted: Wanted, era: Era) -> str:
    versions = MODERN_VERSIONS if era is Era.MODERN else HANDSHAKE_VERSIONS
    is_odd = wanted.version not in (*MODERN_VERSIONS, *HANDSHAKE_VERSIONS)
    return wanted.version if wanted.version in versions or (is_odd and era is Era.LEGACY) else ""


def _speaks_otherwise(error: AnswerError) -> bool:
    """Whether an answer looks like that of a server that changed its era or transport since it was found."""
    reply = error.answer.reply
    if isinstance(reply, RPCError):
        return reply.number in _OTHER_ERA
    if isinstance(reply, Result) and error.failure.layer == "discover":
        return True
    return error.answer.status in _NOT_HERE and error.failure.layer in {"http", "discover"}


async def _find_out(lines: Lines, wanted: Wanted, now: Callable[[], float]) -> Arrival:
    era, transport = wanted.fixed_era, wanted.transport
    ignored = False
    if transport != "sse" and era is not Era.LEGACY:
        arrival, ignored = await _try_modern(lines, wanted, now)
        if arrival is not None:
            return arrival
    if transport != "sse":
        try:
            visit = await _greeted(lines, transport or "http", Era.LEGACY, wanted)
        except AnswerError as refusal:
            if ignored and _is_modern_trouble(refusal):
                visit = await _ask_again(lines, wanted, refusal)
                return Arrival(visit, _dialect(visit, now))
            if transport or not _may_be_old_transport(refusal):
                raise
            visit = await _try_old_transport(lines, wanted, refusal)
    else:
        visit = await _greeted(lines, "sse", Era.LEGACY, wanted)
    return Arrival(visit, _dialect(visit, now, ignores_discover=ignored))


def _dialect(visit: Visit, now: Callable[[], float], *, ignores_discover: bool = False) -> Dialect:
    version = visit.greeting.server_version
    return Dialect(visit.era, visit.transport, now(), version, ignores_discover)


async def _try_modern(
    lines: Lines, wanted: Wanted, now: Callable[[], float]
) -> tuple[Arrival | None, bool]:
    """The modern arrival, or None where `initialize` should be tried; and whether discover was left unanswered."""
    must = wanted.fixed_era is Era.MODERN
    whole = lines.deadline
    if not must:
        loop_now = asyncio.get_running_loop().time()
        lines.deadline = loop_now + (whole - loop_now) * DISCOVER_SHARE
    try:
        visit = await _greeted(lines, wanted.transport or "http", Era.MODERN, wanted)
    except AnswerError as error:
        if must or is_outage(error) or _is_modern_trouble(error):
            raise
        lines.phases.pop("jsonrpc", None)
        return None, False
    except NetError as error:
        failure = error.failure
        is_silence = failure.reason is Reason.TIMEOUT and failure.layer in {"http", "discover", "stdio"}  # fmt: skip
        # Some programs end when their first message is no `initialize`.
        has_ended = (failure.layer, failure.code) == ("stdio", "exited")
        if must or not (is_silence or has_ended or failure.layer == "session"):
            raise
        return None, is_silence
    finally:
        lines.deadline = whole
    return Arrival(visit, _dialect(visit, now)), False


def is_outage(error: AnswerError) -> bool:
    """Whether the answer says that the server is not well, and nothing about what it speaks."""
    answer, code = error.answer, error.failure.code
    return answer.status >= 500 or answer.status == 429 or code in _OUTAGE_CODES or _is_redirect(code)  # fmt: skip


def _is_redirect(code: str) -> bool:
    return "redirect" in code


def _is_modern_trouble(error: AnswerError) -> bool:
    """Whether only a server of the stateless era says this: its headers or versions, not the method, are refused."""
    reply = error.answer.reply
    if isinstance(reply, Result):
        # Some servers of the other era answer an empty result to whatever they do not know, and some answer this
        # very question with the versions of their own era.
        if error.failure.layer != "discover" or not names_versions(reply.raw):
            return False
        return not _has_handshake(versions_in(reply.raw))
    if not isinstance(reply, RPCError):
        return False
    if reply.number in (-32020, -32021):
        return True
    is_version = reply.number == -32022 and bool(reply.supported)
    return is_version and not _has_handshake(reply.supported)


def _has_handshake(versions: Iterable[str]) -> bool:
    return any(version in HANDSHAKE_VERSIONS for version in versions)


async def _ask_again(lines: Lines, wanted: Wanted, refusal: AnswerError) -> Visit:
    """`server/discover` once more, for a server that knows nothing else: it may only have been slow to start."""
    try:
        return await _greeted(lines, wanted.transport or "http", Era.MODERN, wanted)
    except NetError:
        raise _silent_discover(refusal) from None


def _silent_discover(refusal: AnswerError) -> NetError:
    """A server without a handshake that leaves its own first question unanswered."""
    said = refusal.failure.message
    message = (
        f"`server/discover` is left without an answer, and the server knows no handshake. {said}"
    )
    return NetError(failed("discover", "hang", message, evidence=refusal.failure.evidence))


def _may_be_old_transport(refusal: AnswerError) -> bool:
    reply = refusal.answer.reply
    is_protocol = isinstance(reply, RPCError) and (reply.supported or reply.number in (-32602, -32022))  # fmt: skip
    return refusal.answer.status in _NOT_HERE and not is_protocol


async def _try_old_transport(lines: Lines, wanted: Wanted, refusal: AnswerError) -> Visit:
    """GET the stream; a server that knows no stream either is told with its first reason.

    What only GET brings out is the news: a server of the old transport takes no POST at its address, so that a wall, a
    host check or an outage shows itself here alone.
    """
    try:
        return await _greeted(lines, "sse", Era.LEGACY, wanted)
    except AnswerError as error:
        is_news = error.answer.status in _TELLING or error.answer.status >= 500
        raise (error if is_news else refusal) from None
    except NetError as error:
        # A stream was opened, so this is the old transport, and what went wrong there is the news.
        if error.failure.layer in {"session", "initialize", "jsonrpc"}:
            raise
        raise refusal from None

"""One client's visit to one server: the greeting, then any number of requests, whatever the era and transport."""

import time
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, TypedDict, Unpack, cast

from lifesign.core.model import Failure
from lifesign.probes.mcp.client.answers import (
    Answer,
    AnswerError,
    Exchange,
    is_plainly_good,
    judge_answer,
)
from lifesign.probes.mcp.client.greeting import Greeting, read_discovery, read_greeting
from lifesign.probes.mcp.client.line import Line, Message, OnNotice
from lifesign.probes.mcp.client.mirrors import header_value
from lifesign.probes.mcp.client.sessions import session_of
from lifesign.probes.mcp.client.wire import (
    HANDSHAKE_VERSIONS,
    INITIALIZED,
    LATEST_ASKED,
    MODERN_VERSIONS,
    PUBLISHED,
    Era,
    Fault,
    Result,
    RPCError,
    initialize_params,
    modern_body,
    request_body,
)

_ACCEPTED = frozenset({202, 204})
_CONNECTING = ("dns", "tcp", "tls", "http", "spawn")
_IDS_AFTER = MappingProxyType({Era.MODERN: 0, Era.LEGACY: 1000})
"""The ids of the eras do not meet: a program may still answer `server/discover` while `initialize` is waited for."""


class Asking(TypedDict, total=False):
    """What may be said of a request besides its method: see `Visit.message`."""

    name: str
    deadline: float | None
    on_notice: OnNotice | None
    headers: Mapping[str, str] | None


class Visit:
    """Speaks one era over one line. Every method raises `NetError` with the failure that ends the probe.

    `phases` gets `jsonrpc` (judging the envelope), `discover` or `initialize` (from the status line to the reply),
    `version` (reading it) and `initialized`, in milliseconds and without overlap.
    """

    def __init__(
        self, line: Line, era: Era, *, phases: MutableMapping[str, float], version: str = ""
    ) -> None:
        self.line = line
        self.era = era
        self.phases = phases
        self.greeting = Greeting("", "", "")
        self._asked = version
        self._version = version or MODERN_VERSIONS[-1]
        self._last_id = _IDS_AFTER[era]

    @property
    def transport(self) -> str:
        """`http`, `sse` or `stdio`."""
        return self.line.transport

    async def greet(self) -> Greeting:
        """Discover or shake hands; what follows is asked in the version that was agreed on."""
        self.greeting = await (self._discover() if self.era is Era.MODERN else self._shake_hands())
        return self.greeting

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        step: str,
        **more: Unpack[Asking],
    ) -> Result:
        """Ask and return the result; anything else is raised as a failure of the layer `step`."""
        message = self.message(method, params, step=step, **more)
        return self.result_of(message, await self.line.send(message))

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        step: str,
        **more: Unpack[Asking],
    ) -> Answer:
        """Ask and return whatever was answered; only network trouble is raised."""
        message = self.message(method, params, step=step, **more)
        return await self.line.send(message)

    def message(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        *,
        step: str,
        name: str = "",
        deadline: float | None = None,
        on_notice: OnNotice | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Message:
        """The next request, with what its era adds to it.

        `name` is the tool, prompt or resource that is meant, `deadline` an earlier instant of the loop clock than the
        line's, `on_notice` hears what comes before the reply, `headers` mirror arguments (stateless era only).
        """
        self._last_id += 1
        mirrored: tuple[tuple[str, str], ...] = ()
        if self.era is Era.LEGACY:
            body = request_body(self._last_id, method, params or {})
        else:
            body = modern_body(self._last_id, method, params or {}, version=self._version)
            own = (("Mcp-Method", method), *(headers or {}).items())
            mirrored = (*own, ("Mcp-Name", header_value(name))) if name else own
        return Message(step, method, body, self._last_id, mirrored, deadline, on_notice)

    def result_of(self, message: Message, answer: Answer) -> Result:
        """The result in an answer; raises `AnswerError` when there is none."""
        if is_plainly_good(answer):
            return cast("Result", answer.reply)
        exchange = self.line.exchange(message)
        if failure := judge_answer(exchange, answer):
            raise AnswerError(failure, answer)
        if isinstance(answer.reply, Result):
            return answer.reply
        failure = exchange.failure("jsonrpc", "not_jsonrpc", "got no result", answer=answer)
        raise AnswerError(failure, answer)

    async def leave(self, deadline: float) -> None:
        """End the session, so that the server keeps nothing of us."""
        await self.line.leave(deadline)

    def close(self) -> None:
        """Hang up."""
        self.line.close()

    async def _discover(self) -> Greeting:
        self.line.join(session="", version=self._version)
        message = self.message("server/discover", {}, step="discover")
        try:
            answer, result = await self._first(message)
        except AnswerError as error:
            # A server may refuse a version and name it: it is asked once more in one that it names.
            shared = [each for each in MODERN_VERSIONS if each in _named_versions(error.answer)]
            if not shared:
                raise
            self._version = shared[-1]
            self.line.join(session="", version=self._version)
            message = self.message("server/discover", {}, step="discover")
            answer, result = await self._first(message)
        started = time.perf_counter()
        greeting = read_discovery(result.raw, version=self._version)
        if isinstance(greeting, Fault):
            what = f"got a result that {greeting.what}"
            exchange = self.line.exchange(message)
            failure = exchange.failure("discover", greeting.code, what, answer=answer)
            raise AnswerError(failure, answer)
        if self._version not in greeting.supported:
            exchange = self.line.exchange(message)
            raise AnswerError(_nothing_shared(exchange, greeting.supported, answer), answer)
        self.phases["version"] = _elapsed_ms(started)
        return greeting

    async def _shake_hands(self) -> Greeting:
        """`initialize`, asked once more in a version that the server names, then `initialized`."""
        asked = self._asked if self._asked in HANDSHAKE_VERSIONS else LATEST_ASKED
        try:
            message, answer, result = await self._initialize(self._asked or asked)
        except AnswerError as error:
            other = _other_version(error.answer, self._asked or asked)
            if other is None:
                raise
            message, answer, result = await self._initialize(other)
        started = time.perf_counter()
        exchange = self.line.exchange(message)
        greeting = read_greeting(result.raw)
        if isinstance(greeting, Fault):
            failure = exchange.failure(
                "initialize", greeting.code, f"got a result that {greeting.what}", answer=answer
            )
            raise AnswerError(failure, answer)
        if greeting.version not in PUBLISHED and greeting.version != self._asked:
            what = f"was answered with the protocol version {greeting.version!r}, which was never published"
            failure = exchange.failure("initialize", "unsupported_version", what, answer=answer)
            raise AnswerError(failure, answer)
        self.phases["version"] = _elapsed_ms(started)
        self.line.join(
            session=session_of(answer.headers.get("mcp-session-id", "")), version=greeting.version
        )
        await self._acknowledge()
        return greeting

    async def _initialize(self, version: str) -> tuple[Message, Answer, Result]:
        message = self.message("initialize", initialize_params(version), step="initialize")
        answer, result = await self._first(message)
        return message, answer, result

    async def _first(self, message: Message) -> tuple[Answer, Result]:
        """The greeting's request, timed without what it takes to connect and to see the status line."""
        started, before = time.perf_counter(), self._connecting_ms()
        answer = await self.line.send(message)
        took = (self.line.replied_at - started) * 1000 - (self._connecting_ms() - before)
        judged = time.perf_counter()
        result = self.result_of(message, answer)
        self.phases["jsonrpc"] = _elapsed_ms(judged)
        self.phases[message.step] = max(took, 0.0)
        return answer, result

    async def _acknowledge(self) -> None:
        started = time.perf_counter()
        message = Message("initialize", "notifications/initialized", INITIALIZED)
        answer = await self.line.send(message)
        if answer.status not in _ACCEPTED:
            failure = judge_answer(self.line.exchange(message), answer, is_request=False)
            if failure is not None:
                raise AnswerError(failure, answer)
        self.phases["initialized"] = _elapsed_ms(started)

    def _connecting_ms(self) -> float:
        return sum(self.phases.get(name, 0.0) for name in _CONNECTING)


def _nothing_shared(exchange: Exchange, supported: tuple[str, ...], answer: Answer) -> Failure:
    named = ", ".join(supported[:5]) or "no version"
    what = f"was answered by a server that supports {named}"
    return exchange.failure("discover", "unsupported_version", what, answer=answer)


def _other_version(answer: Answer, asked: str) -> str | None:
    """The newest version with a handshake that the server named when it refused the one we asked for."""
    known = [each for each in _named_versions(answer) if each in HANDSHAKE_VERSIONS]
    return max((version for version in known if version != asked), default=None)


def _named_versions(answer: Answer) -> tuple[str, ...]:
    return answer.reply.supported if isinstance(answer.reply, RPCError) else ()


def _elapsed_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000

"""The line of Streamable HTTP: POSTs on one kept-alive connection, answers as JSON or as events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import cast

from lifesign.core.model import Reason
from lifesign.net.access import Net
from lifesign.net.chain import PeerChain
from lifesign.net.failures import NetError
from lifesign.net.http import URL, HTTPConnection, Request, StreamedResponse
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.client.answers import Answer, Exchange, odd_content_type
from lifesign.probes.mcp.client.events import (
    MAX_ANSWER,
    EventStream,
    StreamEndedError,
    hang,
    too_large,
)
from lifesign.probes.mcp.client.line import Message
from lifesign.probes.mcp.client.moves import MAX_REDIRECTS, endless, next_place
from lifesign.probes.mcp.client.sessions import Sessions
from lifesign.probes.mcp.client.wire import Result, read_reply

MAX_RESUMPTIONS = 50
"""How often the streams of one visit are resumed; a server may close them every few hundred milliseconds."""
_NO_STREAM = frozenset({400, 404, 405, 406, 501})
"""How a server says that it resumes nothing."""
STALE_CODES = frozenset({"closed_early", "reset"})
"""How a kept-alive connection shows that the server closed it before it saw the request."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a line leads and what it shows there. `secrets` are taken out of every evidence."""

    url: URL
    headers: tuple[tuple[str, str], ...]
    tls: TLSOptions
    secrets: tuple[str, ...] = field(default=(), repr=False)
    has_credential: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What an idle stream said: its status, and after how many milliseconds the first sign of life came."""

    status: int
    after_ms: float | None = None


class HTTPLine:
    """One client's line over Streamable HTTP. `deadline` is an instant of the loop clock.

    `phases` gets `dns`, `tcp` and `tls` of the first connection and `http`: from the first request to its status line.
    `odd_type` is the Content-Type of a good reply that did not say what it is.
    """

    transport = "http"

    def __init__(
        self, net: Net, endpoint: Endpoint, *, deadline: float, phases: MutableMapping[str, float]
    ) -> None:
        self._net = net
        self._endpoint = endpoint
        self.deadline = deadline
        self._phases = phases
        self._connection: HTTPConnection | None = None
        self._joined: tuple[tuple[str, str], ...] = ()
        self._sessions = Sessions()
        self._was_answered = False
        self.url = endpoint.url
        self.framing = "json"
        self.odd_type = ""
        self.redirects: list[str] = []
        self.first_status = 0
        self.connections = 0
        self._resumptions = 0
        self.replied_at = 0.0
        self.address = ""
        self.chain: PeerChain | None = None

    @property
    def has_session(self) -> bool:
        """Whether the server opened a session that is to be ended."""
        return bool(self._sessions.joined)

    def exchange(self, message: Message) -> Exchange:
        """How the answer to a message is judged."""
        endpoint = self._endpoint
        return Exchange(
            message.step,
            message.method,
            self.url.shown,
            has_session=self.has_session,
            sent_credentials=endpoint.has_credential,
            secrets=endpoint.secrets + self._sessions.secrets(),
        )

    def join(self, *, session: str, version: str) -> None:
        """Carry the session and the agreed version on every later request."""
        self._sessions.join(session)
        self._joined = (("MCP-Protocol-Version", version),)
        if session:
            self._joined += (("Mcp-Session-Id", session),)

    def start_over(self, deadline: float) -> None:
        """Forget what was joined and go on with the same connection, for another try at the greeting."""
        self._sessions.start_over()
        self._joined, self.deadline = (), deadline
        self.first_status = 0

    async def send(self, message: Message) -> Answer:
        """POST one message. A kept-alive connection that the server closed meanwhile is replaced, once.

        Redirects that keep the method and stay with the same host are followed, and remembered for later requests.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._post(message)
            if not 300 <= answer.status < 400:
                return answer
            self.url = next_place(self.exchange(message), self.url, answer)
            self.redirects.append(self.url.shown)
            self.close()
        self.redirects.clear()
        raise endless(self.exchange(message), answer)

    async def listen(self, within_s: float) -> Heard:
        """Open the stream for what the server says unasked, and wait so long for any byte of it.

        A connection of its own, because the stream has no end. Raises `NetError` when it cannot be opened.
        """
        loop = asyncio.get_running_loop()
        deadline = min(self.deadline, loop.time() + within_s)
        connection = await HTTPConnection.connect(
            self._net, self.url, deadline=self.deadline, phases={}, tls=self._endpoint.tls
        )
        headers = (("Accept", "text/event-stream"), *self._endpoint.headers[2:], *self._joined)
        started = time.perf_counter()
        async with connection:
            try:
                async with connection.stream(
                    Request("GET", self.url, headers), deadline=deadline, max_body=MAX_ANSWER
                ) as response:
                    if response.status != 200:
                        return Heard(response.status)
                    chunks = cast("AsyncGenerator[bytes]", response.chunks())
                    async with aclosing(chunks):
                        first = await anext(chunks, b"")
            except NetError as error:
                if error.failure.reason is not Reason.TIMEOUT:
                    raise
                return Heard(200)
        return Heard(200, (time.perf_counter() - started) * 1000 if first else None)

    async def leave(self, deadline: float) -> None:
        """End every session that was opened for us, with DELETE, also where its greeting was refused later."""
        version = self._joined[:1]
        for session in self._sessions.to_end():
            headers = (*self._endpoint.headers[1:], *version, ("Mcp-Session-Id", session))
            is_stale = self._connection is not None and self._connection.is_reusable
            try:
                await self._delete(headers, deadline)
            except NetError as error:
                if is_stale and error.failure.code in STALE_CODES:
                    with suppress(NetError):
                        await self._delete(headers, deadline)

    async def _delete(self, headers: tuple[tuple[str, str], ...], deadline: float) -> None:
        connection = await self._connected(deadline)
        request = Request("DELETE", self.url, headers)
        await connection.exchange(request, deadline=deadline, phases={}, max_body=65_536)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _post(self, message: Message) -> Answer:
        headers = self._endpoint.headers + self._joined + message.headers
        request = Request("POST", self.url, headers, message.body)
        is_kept = self._connection is not None and self._connection.is_reusable
        may_be_stale = is_kept and message.repeatable
        try:
            return await self._exchange(message, request)
        except NetError as error:
            if not may_be_stale or self._was_answered or error.failure.code not in STALE_CODES:
                raise self._placed(message, error) from None
        self.close()
        try:
            return await self._exchange(message, request)
        except NetError as error:
            raise self._placed(message, error) from None

    async def _exchange(self, message: Message, request: Request) -> Answer:
        self._was_answered = False
        deadline = min(self.deadline, message.deadline or self.deadline)
        connection = await self._connected(self.deadline)
        async with connection.stream(request, deadline=deadline, max_body=MAX_ANSWER) as response:
            self._was_answered = True
            if not self.first_status:
                self._phases["http"] = response.first_byte_ms
            if not self.first_status or 300 <= self.first_status < 400:
                self.first_status = response.status
            return await self._read(message, response)

    async def _connected(self, deadline: float) -> HTTPConnection:
        """The connection, dialled anew when there is none to reuse; only the first one is timed."""
        connection = self._connection
        if connection is not None and connection.is_reusable:
            return connection
        phases = self._phases if not self.connections else {}
        self.close()
        self.connections += 1
        self._connection = await HTTPConnection.connect(
            self._net, self.url, deadline=deadline, phases=phases, tls=self._endpoint.tls
        )
        self.address = self._connection.address
        self.chain = self._connection.chain
        return self._connection

    async def _read(self, message: Message, response: StreamedResponse) -> Answer:
        headers = read_headers(response)
        if session := headers.get("mcp-session-id"):
            self._sessions.note(message, session)
        request_id, is_good = message.request_id, response.status < 300
        is_stream = is_good and request_id is not None and _is_stream(headers)
        body = None if is_stream else response.whole()
        if body is None:
            chunks = cast("AsyncGenerator[bytes]", response.chunks())
            async with aclosing(chunks):
                if request_id is None and is_good:
                    # What is said to a notification matters to no client; they do not wait for the end of it.
                    await EventStream(chunks).drain()
                    return Answer(response.status, headers)
                if request_id is not None and is_stream:
                    events = EventStream(chunks)
                    return await self._read_events(message, request_id, headers, events)
                body = b"".join([chunk async for chunk in chunks])
        if response.truncated:
            raise NetError(too_large(self.exchange(message)))
        reply = read_reply(body, request_id) if body and request_id is not None else None
        self.replied_at = time.perf_counter()
        answer = Answer(response.status, headers, body, reply)
        if request_id is not None:
            self.framing = "json"
            if isinstance(reply, Result):
                self.odd_type = self.odd_type or odd_content_type(answer)
        return answer

    async def _read_events(
        self, message: Message, request_id: int, headers: Mapping[str, str], events: EventStream
    ) -> Answer:
        """The reply of a stream, and of the streams that resume it: a server may close one and let clients poll."""
        exchange = self.exchange(message)
        try:
            found, text = await events.reply(exchange, request_id, message.on_notice)
        except StreamEndedError as ended:
            if not events.last_id or self._resumptions >= MAX_RESUMPTIONS:
                raise
            self._resumptions += 1
            resumed = await self._resume(message, request_id, events)
            if resumed is None:
                # A server that numbers its events and resumes nothing: that the stream closed is the news.
                raise ended from None
            # The session was named where the answer began.
            named = {name: headers[name] for name in ("mcp-session-id",) if name in headers}
            return replace(resumed, headers={**resumed.headers, **named})
        self.framing, self.replied_at = "sse", time.perf_counter()
        await events.drain()
        return Answer(200, headers, text, found, "sse")

    async def _resume(self, message: Message, request_id: int, ended: EventStream) -> Answer | None:
        """Ask for the rest of a stream by the number of its last event (MCP 2025-11-25, resumability).

        None where the server does not know how to resume.
        """
        deadline = min(self.deadline, message.deadline or self.deadline)
        wait_s = min(ended.retry_ms / 1000, deadline - asyncio.get_running_loop().time())
        await asyncio.sleep(max(wait_s, 0.0))
        self.close()
        headers = (
            ("Accept", "text/event-stream"),
            ("Last-Event-ID", ended.last_id),
            *self._endpoint.headers[2:],
            *(self._joined or self._sessions.early()),
        )
        request = Request("GET", self.url, headers)
        connection = await self._connected(self.deadline)
        async with connection.stream(request, deadline=deadline, max_body=MAX_ANSWER) as response:
            found = read_headers(response)
            chunks = cast("AsyncGenerator[bytes]", response.chunks())
            async with aclosing(chunks):
                if response.status in _NO_STREAM or (
                    response.status < 300 and not _is_stream(found)
                ):
                    return None
                if response.status >= 300:
                    body = b"".join([chunk async for chunk in chunks])
                    return Answer(response.status, found, body)
                resumed = EventStream(chunks, ended)
                return await self._read_events(message, request_id, found, resumed)

    def _placed(self, message: Message, error: NetError) -> NetError:
        """Once the handshake began, silence is a hang of the step that was asked, not of HTTP."""
        failure, exchange = error.failure, self.exchange(message)
        is_ours = failure.layer not in {"http", "tcp"} or failure.reason is not Reason.TIMEOUT
        if exchange.is_handshake or is_ours or failure.code == "connect_timeout":
            return error
        return NetError(hang(exchange, f"was not answered: {failure.message.rstrip('.')}"))


def _is_stream(headers: Mapping[str, str]) -> bool:
    """Whether an event stream comes; media types have no case (RFC 9110 §8.3.1)."""
    return headers.get("content-type", "").lower().startswith("text/event-stream")


def read_headers(response: StreamedResponse) -> Mapping[str, str]:
    """Headers by lower-case name; several challenges are joined as RFC 9110 §5.3 joins lists."""
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key = name.lower()
        is_list = key == "www-authenticate" and key in headers
        headers[key] = f"{headers[key]}, {value}" if is_list else value
    return headers

"""The line of the old HTTP+SSE transport: one stream that carries the replies, one address that takes the messages.

GET opens the stream, whose first event names the message address; each POST there is answered with 202 and its
reply comes over the stream (MCP 2024-11-05, transports).
"""

import asyncio
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack, suppress
from typing import Self

from lifesign.net.access import Net
from lifesign.net.chain import PeerChain
from lifesign.net.failures import NetError
from lifesign.net.http import (
    URL,
    HTTPConnection,
    Request,
    Response,
    StreamedResponse,
    URLError,
)
from lifesign.probes.mcp.client.answers import Answer, AnswerError, Exchange, judge_answer
from lifesign.probes.mcp.client.events import MAX_ANSWER, EventStream, hang
from lifesign.probes.mcp.client.http import STALE_CODES, Endpoint, read_headers
from lifesign.probes.mcp.client.line import Message
from lifesign.probes.mcp.client.wire import Result, RPCError, read_reply

_SHORT = 8
"""A shorter value is no id that could not be guessed, and would blot out ordinary words."""
ENDPOINT_S = 5.0
"""How long the first event may take; a server that is well sends it at once."""


class _Chunks:
    """The pieces of a stream, one by one."""

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._response.chunk()
        if piece is None:
            raise StopAsyncIteration
        return piece


_OPENING = Message("initialize", "GET", b"")


class LegacyLine:
    """One client's line over HTTP+SSE. `deadline` is an instant of the loop clock; `phases` as of `HTTPLine`."""

    transport = "sse"
    framing = "sse"
    has_session = False

    def __init__(
        self, net: Net, endpoint: Endpoint, *, deadline: float, phases: MutableMapping[str, float]
    ) -> None:
        self._net = net
        self._endpoint = endpoint
        self.deadline = deadline
        self._phases = phases
        self._stack = AsyncExitStack()
        self._events: EventStream | None = None
        self._listener: HTTPConnection | None = None
        self._poster: HTTPConnection | None = None
        self._joined: tuple[tuple[str, str], ...] = ()
        self._messages: URL | None = None
        self.url = endpoint.url
        self.redirects: list[str] = []
        self.first_status = 0
        self.replied_at = 0.0
        self.address = ""
        self.chain: PeerChain | None = None

    def exchange(self, message: Message) -> Exchange:
        """How the answer to a message is judged."""
        return Exchange(
            message.step,
            message.method,
            self.url.shown,
            sent_credentials=self._endpoint.has_credential,
            secrets=self._endpoint.secrets + self._session_words(),
        )

    def _session_words(self) -> tuple[str, ...]:
        """What the address of messages names after its `?`: whoever knows it can speak in our session."""
        query = self._messages.target.partition("?")[2] if self._messages is not None else ""
        values = [pair.partition("=")[2] for pair in query.split("&")]
        return tuple([value for value in values if len(value) >= _SHORT])

    def join(self, *, session: str, version: str) -> None:
        """Carry the agreed version; the session is the stream itself."""
        del session
        self._joined = (("MCP-Protocol-Version", version),)

    async def open(self) -> None:
        """Open the stream and learn where messages go. Raises `NetError`."""
        connection = await HTTPConnection.connect(
            self._net,
            self.url,
            deadline=self.deadline,
            phases=self._phases,
            tls=self._endpoint.tls,
        )
        self._listener = connection
        self.address, self.chain = connection.address, connection.chain
        headers = (("Accept", "text/event-stream"), *self._endpoint.headers[2:])
        response = await self._stack.enter_async_context(
            connection.stream(
                Request("GET", self.url, headers), deadline=self.deadline, max_body=MAX_ANSWER
            )
        )
        self.first_status = response.status
        self._phases["http"] = response.first_byte_ms
        # No generator: a call that is given up while it waits must leave the stream to the next one.
        chunks = _Chunks(response)
        answer = Answer(response.status, read_headers(response))
        is_stream = answer.content_type.startswith("text/event-stream")
        if not answer.is_success or not is_stream:
            await self._refused(answer, chunks)
        self._events = EventStream(chunks)
        self._messages = await self._named_address(self._events)

    async def _refused(self, answer: Answer, chunks: AsyncIterator[bytes]) -> None:
        body = b""
        with suppress(NetError):
            async for chunk in chunks:
                body += chunk
                if len(body) > 4000:
                    break
        told = Answer(answer.status, answer.headers, body[:4000])
        exchange = self.exchange(_OPENING)
        failure = judge_answer(exchange, told)
        if failure is None:
            what = "was answered with no event stream"
            failure = exchange.failure("http", "invalid_content_type", what, answer=told)
        raise AnswerError(failure, told)

    async def _named_address(self, events: EventStream) -> URL:
        exchange = self.exchange(_OPENING)
        limit = min(self.deadline, asyncio.get_running_loop().time() + ENDPOINT_S)
        try:
            async with asyncio.timeout_at(limit):
                event = await events.next()
        except (TimeoutError, NetError):
            event = None
        if event is None or event.name != "endpoint":
            what = "opened an event stream that names no address for messages"
            raise NetError(exchange.failure("session", "sse_no_endpoint", what))
        try:
            url = self.url.join(event.data.decode(errors="replace").strip())
        except URLError:
            what = "opened an event stream that names an address which cannot be read"
            raise NetError(exchange.failure("session", "sse_no_endpoint", what)) from None
        if url.origin != self.url.origin:
            what = f"opened an event stream that sends messages to another origin, {url.shown}"
            raise NetError(exchange.failure("session", "sse_foreign_endpoint", what))
        return url

    async def send(self, message: Message) -> Answer:
        """POST one message and wait on the stream for its reply."""
        if self._events is None:
            await self.open()
        posted = await self._post(message)
        if message.request_id is None or not posted.is_success or _is_reply(posted):
            self.replied_at = time.perf_counter()
            return posted
        if self._events is None:
            raise NetError(self.exchange(message).failure("session", "sse_closed", "was hung up"))
        limit = min(self.deadline, message.deadline or self.deadline)
        exchange = self.exchange(message)
        try:
            async with asyncio.timeout_at(limit):
                found, text = await self._events.reply(
                    exchange, message.request_id, message.on_notice
                )
        except TimeoutError:
            raise NetError(hang(exchange, "was not answered over the stream in time")) from None
        self.replied_at = time.perf_counter()
        return Answer(200, posted.headers, text, found, "sse")

    async def _post(self, message: Message) -> Answer:
        if self._messages is None:
            raise NetError(self.exchange(message).failure("session", "sse_no_endpoint", "has nowhere to go"))  # fmt: skip
        limit = min(self.deadline, message.deadline or self.deadline)
        headers = self._endpoint.headers + self._joined + message.headers
        request = Request("POST", self._messages, headers, message.body)
        is_kept = self._poster is not None and self._poster.is_reusable and message.repeatable
        try:
            response = await self._exchange(request, limit)
        except NetError as error:
            if not is_kept or error.failure.code not in STALE_CODES:
                raise
            response = await self._exchange(request, limit)
        named = {name.lower(): value for name, value in response.headers}
        reply = None
        if message.request_id is not None and response.body:
            reply = read_reply(response.body, message.request_id)
        return Answer(response.status, named, response.body, reply)

    async def _exchange(self, request: Request, limit: float) -> Response:
        """POST on the connection that is kept for messages, dialled anew when the server has closed it."""
        connection = self._poster
        if connection is None or not connection.is_reusable:
            if connection is not None:
                connection.close()
            connection = self._poster = await HTTPConnection.connect(
                self._net, request.url, deadline=limit, phases={}, tls=self._endpoint.tls
            )
        return await connection.exchange(request, deadline=limit, phases={}, max_body=MAX_ANSWER)

    async def leave(self, deadline: float) -> None:
        """Close the stream, which is the session."""
        del deadline
        await self._stack.aclose()
        self.close()

    def close(self) -> None:
        """Drop both connections."""
        for connection in (self._listener, self._poster):
            if connection is not None:
                connection.close()


def _is_reply(posted: Answer) -> bool:
    """Whether the POST itself brought the reply, which the old transport does not foresee and some servers do."""
    return isinstance(posted.reply, Result | RPCError)

"""The HTTP side of one conversation: POSTs on one kept-alive connection, answers as JSON or as events."""

import asyncio
import time
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import cast

from lifesign.core.model import Failure, Reason
from lifesign.net.access import Net
from lifesign.net.chain import PeerChain
from lifesign.net.failures import NetError
from lifesign.net.http import URL, HTTPConnection, Request, StreamedResponse, URLError
from lifesign.probes.mcp.client.answers import Answer, Exchange
from lifesign.probes.mcp.plan import Plan
from lifesign.probes.mcp.client.sse import EventReader
from lifesign.probes.mcp.client.wire import Fault, Reply, read_event, read_reply

MAX_ANSWER = 4 * 1024 * 1024
"""The largest answer that is read: a hundred times a rich tool list."""

MAX_REDIRECTS = 3

DRAIN_S = 0.25
"""How long a stream may stay open after its reply before the connection is given up for it."""
_METHOD_KEEPING = frozenset({307, 308})
_STALE_CODES = frozenset({"closed_early", "reset"})
"""How a kept-alive connection shows that the server closed it before it saw the request."""


class Conversation:
    """One client's visit to one server. `deadline` is an instant of the loop clock; `leave` says goodbye, `close` hangs up.

    Every method raises `NetError` with the failure that ends the probe.
    """

    def __init__(
        self, net: Net, plan: Plan, *, deadline: float, phases: MutableMapping[str, float]
    ) -> None:
        self._net = net
        self._plan = plan
        self._deadline = deadline
        self._phases = phases
        self._connection: HTTPConnection | None = None
        self._extra: tuple[tuple[str, str], ...] = ()
        self.url = plan.url
        self._shown = plan.url.shown
        self.redirects: list[str] = []
        self.session = ""
        self.first_status = 0
        self.address = ""
        self.chain: PeerChain | None = None
        self._was_answered = False

    def exchange_for(self, step: str) -> Exchange:
        """How the answer to a step's request is judged."""
        return Exchange(
            step,
            self._shown,
            has_session=bool(self.session) and step != "initialize",
            sent_credentials=bool(self._plan.secrets),
            secrets=(*self._plan.secrets, self.session) if self.session else self._plan.secrets,
        )

    def join(self, *, session: str, version: str) -> None:
        """Carry the session and the agreed version on every later request."""
        self.session = session
        self._extra = (("MCP-Protocol-Version", version),)
        if session:
            self._extra += (("Mcp-Session-Id", session),)

    async def post(self, step: str, body: bytes, *, request_id: int | None) -> Answer:
        """Send one message; `request_id` is None for a notification, which has no reply.

        A kept-alive connection that the server closed meanwhile is replaced, once. Redirects that keep the method
        and stay with the same host are followed, and remembered for the later requests.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._post_once(step, body, request_id)
            if not 300 <= answer.status < 400:
                return answer
            self._follow(step, answer)
        exchange = self.exchange_for(step)
        raise NetError(
            exchange.failure(
                "http",
                "moved_redirect",
                f"was redirected more than {MAX_REDIRECTS} times",
                "Break the redirect loop.",
                answer=answer,
            )
        )

    async def leave(self, deadline: float) -> None:
        """End the session, if there is one. What the server says to that is no matter."""
        if not self.session:
            return
        with suppress(NetError):
            connection = await self._connected(deadline)
            request = Request("DELETE", self.url, self._plan.headers[1:] + self._extra)
            await connection.exchange(request, deadline=deadline, phases={}, max_body=65_536)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _post_once(self, step: str, body: bytes, request_id: int | None) -> Answer:
        request = Request("POST", self.url, self._plan.headers + self._extra, body)
        may_be_stale = self._connection is not None and self._connection.is_reusable
        try:
            return await self._send(step, request, request_id)
        except NetError as error:
            if not may_be_stale or self._was_answered or error.failure.code not in _STALE_CODES:
                raise self._placed(step, error) from None
        self.close()
        try:
            return await self._send(step, request, request_id)
        except NetError as error:
            raise self._placed(step, error) from None

    async def _send(self, step: str, request: Request, request_id: int | None) -> Answer:
        self._was_answered = False
        connection = await self._connected(self._deadline)
        async with connection.stream(
            request, deadline=self._deadline, max_body=MAX_ANSWER
        ) as response:
            self._was_answered = True
            if not self.first_status:
                self.first_status = response.status
                self._phases["http"] = response.first_byte_ms
            return await self._read(step, response, request_id)

    async def _connected(self, deadline: float) -> HTTPConnection:
        """The connection, dialled anew when there is none to reuse; only the first one is timed."""
        connection = self._connection
        if connection is not None and connection.is_reusable:
            return connection
        phases = self._phases if connection is None and not self.first_status else {}
        self.close()
        self._connection = await HTTPConnection.connect(
            self._net, self.url, deadline=deadline, phases=phases, tls=self._plan.tls
        )
        self.address = self._connection.address
        self.chain = self._connection.chain
        return self._connection

    async def _read(self, step: str, response: StreamedResponse, request_id: int | None) -> Answer:
        headers = {name.lower(): value for name, value in response.headers}
        kind = headers.get("content-type", "")
        chunks = cast("AsyncGenerator[bytes]", response.chunks())
        async with aclosing(chunks):
            if (
                request_id is not None
                and kind.startswith("text/event-stream")
                and response.status < 300
            ):
                found = await self._read_events(step, chunks, request_id)
                return Answer(response.status, headers, reply=found, transport="sse")
            body = b"".join([chunk async for chunk in chunks])
        if response.truncated:
            raise NetError(self._too_large(step))
        reply = read_reply(body, request_id) if body and request_id is not None else None
        return Answer(response.status, headers, body, reply)

    async def _read_events(
        self, step: str, chunks: AsyncGenerator[bytes], request_id: int
    ) -> Reply:
        """The reply among the events of a stream. An odd message is only told when no reply follows it."""
        reader, size = EventReader(), 0
        odd: Fault | None = None
        try:
            async for chunk in chunks:
                size += len(chunk)
                for event in reader.feed(chunk):
                    found = read_event(event.data, request_id) if event.data else None
                    if isinstance(found, Fault):
                        odd = odd or found
                    elif found is not None:
                        await _drain(chunks)
                        return found
        except NetError as error:
            if odd is None:
                raise NetError(self._stalled(step, error.failure, reader)) from None
        if odd is not None:
            return odd
        raise NetError(self._too_large(step) if size >= MAX_ANSWER else self._ended(step, reader))

    def _ended(self, step: str, reader: EventReader) -> Failure:
        """A stream that closed without a reply: for want of a frame, or of everything."""
        exchange = self.exchange_for(step)
        if reader.strays or reader.is_mid_event:
            return exchange.failure(
                "session", "sse_bad_framing",
                "got an event stream whose events are not framed: `data:` or the closing empty line is missing",
                "Write each message as a `data:` line followed by an empty line.",
            )  # fmt: skip
        return exchange.failure(
            "session", "sse_closed",
            "got an event stream that closed without a reply",
            "Look at the server's log for an error while it served the request, and at proxy time-outs.",
        )  # fmt: skip

    def _stalled(self, step: str, failure: Failure, reader: EventReader) -> Failure:
        if failure.reason is not Reason.TIMEOUT:
            return self._ended(step, reader)
        alive = f" but {reader.comments} keep-alive comments" if reader.comments else ""
        return self.exchange_for(step).failure(
            _layer_of(step), "hang", f"opened an event stream with no reply{alive} until the deadline",
            "Look at what the server waits for, and whether a proxy buffers the stream.",
            reason=Reason.TIMEOUT,
        )  # fmt: skip

    def _too_large(self, step: str) -> Failure:
        return self.exchange_for(step).failure(
            "http", "body_too_large", f"was answered with more than {MAX_ANSWER >> 20} MiB",
            "Page the tool list, and look for what fills it.",
        )  # fmt: skip

    def _placed(self, step: str, error: NetError) -> NetError:
        """Once the handshake began, silence is a hang of the step that was asked, not of HTTP."""
        failure = error.failure
        if step == "initialize" or failure.reason is not Reason.TIMEOUT or failure.code == "hang":
            return error
        what = f"{self.exchange_for(step).shown} was not answered: {failure.message}"
        return NetError(replace(failure, layer=_layer_of(step), code="hang", message=what))

    def _follow(self, step: str, answer: Answer) -> None:
        """Take the new address when a client could; raises the failure when it could not."""
        location = answer.headers.get("location", "")
        try:
            url = self.url.join(location) if location else None
        except URLError:
            url = None
        if url is None or answer.status not in _METHOD_KEEPING or not _is_same_place(self.url, url):
            raise NetError(self._broken_redirect(step, answer, url))
        self._shown = url.shown
        self.redirects.append(url.shown)
        self.url = url
        self.close()

    def _broken_redirect(self, step: str, answer: Answer, url: URL | None) -> Failure:
        status = answer.status
        if url is None:
            what = f"was redirected (HTTP {status}) to nowhere that can be read"
        elif self.url.is_tls and not url.is_tls:
            what = f"was redirected (HTTP {status}) from https down to {url.shown}"
        elif status not in _METHOD_KEEPING:
            what = (
                f"was redirected to {url.shown} with HTTP {status}, which turns a POST into a GET"
            )
        else:
            what = f"was redirected (HTTP {status}) to another place, {url.shown}"
        return self.exchange_for(step).failure(
            "http", "moved_redirect", what,
            "Watch the final address, or redirect with 307 or 308 on the same host.", answer=answer,
        )  # fmt: skip


def _is_same_place(before: URL, after: URL) -> bool:
    """Whether credentials may go there: the same origin, or the same host by TLS on its own port."""
    if before.origin == after.origin:
        return True
    return before.host == after.host and after.is_tls and after.port == 443 and not before.is_tls


def _layer_of(step: str) -> str:
    return "tools_list" if step == "tools_list" else "initialize"


async def _drain(chunks: AsyncGenerator[bytes]) -> None:
    """Read a stream to its end so that its connection can be used again; not for long."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass
    except (TimeoutError, NetError):
        return


def elapsed_ms(started: float) -> float:
    """Milliseconds since an instant of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000

"""HTTP exchanges for probes: measured phase by phase, bounded in every direction, one deadline.

    async with await HTTPConnection.connect(net, url, deadline=deadline, phases=phases) as connection:
        response = await connection.exchange(Request("GET", url), deadline=deadline, phases=phases)

Several exchanges may follow each other on one connection. Whatever the world does wrong is raised as `NetError`.
"""

import ssl
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from types import TracebackType
from typing import Protocol, Self

from lifesign.net.access import Net
from lifesign.net.chain import PeerChain
from lifesign.net.failures import NetError, net_error, span
from lifesign.net.http1 import HTTP1, RequestShape
from lifesign.net.http2 import HTTP2
from lifesign.net.response import MAX_BODY, STREAM_BACKLOG, Headers, Incoming, Response, find_header
from lifesign.net.stream import Stream
from lifesign.net.tls import TLSOptions, why_broken
from lifesign.net.url import URL, URLError, parse_url

__all__ = [
    "MAX_BODY",
    "URL",
    "HTTPConnection",
    "Request",
    "Response",
    "StreamedResponse",
    "URLError",
    "parse_url",
]

_PLAIN = TLSOptions()
_ALPN_HTTP2 = ("h2", "http/1.1")
_ALPN_HTTP1 = ("http/1.1",)
_PHASES = ("send", "first_byte", "transfer")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Host, User-Agent and Content-Length are added when they are missing."""

    method: str
    url: URL
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def shown(self) -> str:
        """Method and URL for messages, without the query."""
        return f"{self.method} {self.url.shown}"


class Codec(Protocol):
    """HTTP/1.1 or HTTP/2 over one stream."""

    reusable: bool

    def begin(self, request: RequestShape, incoming: Incoming) -> None: ...
    def feed(self, data: bytes, /) -> None: ...
    def eof(self, error: OSError | None, /) -> None: ...


class HTTPConnection:
    """One connection to one origin. Close it, or use it as an async context manager."""

    def __init__(self, stream: Stream, codec: Codec, chain: PeerChain | None) -> None:
        self._stream = stream
        self._codec = codec
        self.chain = chain
        stream.attach(codec)

    @classmethod
    async def connect(
        cls,
        net: Net,
        url: URL,
        *,
        deadline: float,
        phases: MutableMapping[str, float],
        tls: TLSOptions = _PLAIN,
        http2: bool = False,
    ) -> Self:
        """Resolve, connect and shake hands; adds `dns`, `tcp` and `tls` to `phases`. Raises `NetError`.

        With `http2`, HTTP/2 is offered by ALPN over TLS and taken for granted (prior knowledge) without.
        """
        options = None
        if url.is_tls:
            options = replace(tls, alpn=_ALPN_HTTP2 if http2 else _ALPN_HTTP1)
        stream = await net.dial(url.host, url.port, tls=options, deadline=deadline, phases=phases)
        chain = net.peer_chain(stream) if url.is_tls else None
        speaks_http2 = http2 and (chain is None or chain.alpn == "h2")
        return cls(stream, HTTP2(stream) if speaks_http2 else HTTP1(stream), chain)

    @property
    def address(self) -> str:
        """The address that is really connected to."""
        return self._stream.address

    @property
    def is_reusable(self) -> bool:
        """Whether another exchange may follow on this connection."""
        return self._codec.reusable and not self._stream.is_closed

    def close(self) -> None:
        """Drop the connection."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def exchange(
        self,
        request: Request,
        *,
        deadline: float,
        phases: MutableMapping[str, float],
        max_body: int = MAX_BODY,
        label: str | None = None,
    ) -> Response:
        """Send a request and read its whole response. Raises `NetError`.

        Adds `send`, `first_byte` and `transfer` to `phases`, or with a `label` their sum under that name; what
        did not come to its end is not added.
        A body longer than `max_body` bytes is cut. That, a failure and cancellation cost the connection.
        """
        incoming = self._incoming(request, max_body=max_body, streaming=False)
        started = time.perf_counter()
        sent = 0.0
        try:
            self._stream.limit(deadline)
            self._codec.begin(request, incoming)
            sent = time.perf_counter()
            while not incoming.complete:
                await self._wait(incoming, started)
        finally:
            spent = _spent(started, sent, incoming)
            _note(phases, label, spent)
            if incoming.truncated or not incoming.complete:
                self.close()
        body = incoming.pieces[0] if len(incoming.pieces) == 1 else b"".join(incoming.pieces)
        return Response(
            incoming.status,
            incoming.reason,
            incoming.http_version,
            incoming.headers,
            body,
            incoming.truncated,
            *spent,
        )

    def stream(
        self, request: Request, *, deadline: float, max_body: int = MAX_BODY
    ) -> "StreamedResponse":
        """Send a request and read its response piece by piece (server-sent events), in an `async with`.

        Entering it sends the request and waits for the headers; that and reading raise `NetError`. A response that
        was not read to its end costs the connection.
        """
        return StreamedResponse(self, request, deadline=deadline, max_body=max_body)

    def _incoming(self, request: Request, *, max_body: int, streaming: bool) -> Incoming:
        if not self.is_reusable:
            raise net_error(
                "http",
                "closed_early",
                f"{request.shown} could not be sent: the server has closed the connection.",
            )
        return Incoming(
            request.method,
            request.shown,
            max_body=max_body,
            streaming=streaming,
            wake=self._stream.wake,
        )

    async def _wait(self, incoming: Incoming, started: float) -> None:
        """Sleep until something changed; raises what ends the response before it is whole."""
        stream = self._stream
        if incoming.failure is None:
            with suppress(OSError):  # It stays on the stream as its error.
                await stream.wait()
        if incoming.failure is not None:
            raise NetError(incoming.failure, chain=self.chain)
        if stream.lost and not incoming.complete:
            raise self._broken(incoming, stream.error, time.perf_counter() - started)

    def _broken(self, incoming: Incoming, error: OSError | None, elapsed_s: float) -> NetError:
        target, took = incoming.target, span(elapsed_s)
        progress = f"{incoming.body_bytes} bytes of the body had come"
        if isinstance(error, TimeoutError):
            if not incoming.first_byte_at:
                failure = net_error(
                    "http", "first_byte_timeout", f"{target} sent no byte within {took}."
                )
            else:
                failure = net_error(
                    "http", "read_timeout", f"{target} did not finish within {took}; {progress}."
                )
        elif isinstance(error, ConnectionError):
            failure = net_error("tcp", "reset", f"{target} reset the connection after {took}.")
        elif isinstance(error, ssl.SSLError):
            code, words = why_broken(error)
            failure = net_error("tls", code, f"{target} broke TLS off after {took}: {words}.")
        elif incoming.has_headers:
            failure = net_error(
                "http", "closed_early", f"{target} closed early, after {took}; {progress}."
            )
        else:
            failure = net_error(
                "http",
                "closed_early",
                f"{target} closed the connection after {took} without a response.",
            )
        return NetError(failure.failure, chain=self.chain)


class StreamedResponse:
    """A response that is read while it arrives; an async context manager for the time of one exchange."""

    def __init__(
        self, connection: HTTPConnection, request: Request, *, deadline: float, max_body: int
    ) -> None:
        self._connection = connection
        self._request = request
        self._deadline = deadline
        self._incoming = connection._incoming(request, max_body=max_body, streaming=True)  # noqa: SLF001
        self._started = time.perf_counter()

    async def __aenter__(self) -> Self:
        connection, incoming = self._connection, self._incoming
        self._started = time.perf_counter()
        try:
            connection._stream.limit(self._deadline)  # noqa: SLF001
            connection._codec.begin(self._request, incoming)  # noqa: SLF001
            while not incoming.has_headers:
                await connection._wait(incoming, self._started)  # noqa: SLF001
        except BaseException:
            self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.aclose()

    @property
    def status(self) -> int:
        """The status code."""
        return self._incoming.status

    @property
    def headers(self) -> Headers:
        """The headers as sent."""
        return self._incoming.headers

    @property
    def first_byte_ms(self) -> float:
        """From the request's start to the first byte of the response."""
        return (self._incoming.first_byte_at - self._started) * 1000

    @property
    def truncated(self) -> bool:
        """Whether the body was cut at its cap."""
        return self._incoming.truncated

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case."""
        return find_header(self._incoming.headers, name)

    def whole(self) -> bytes | None:
        """The decoded body, when all of it is there already, as it is with most small answers; else None."""
        incoming = self._incoming
        if not incoming.complete:
            return None
        body = b"".join(incoming.pieces)
        incoming.pieces.clear()
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body, as it comes. Raises `NetError` when it breaks off or the deadline passes."""
        while (piece := await self.chunk()) is not None:
            yield piece

    async def chunk(self) -> bytes | None:
        """The next piece of the decoded body; None at its end. Raises as `chunks`.

        Unlike with `chunks`, whoever gives up waiting for one piece may wait for it again.
        """
        incoming, stream = self._incoming, self._connection._stream  # noqa: SLF001
        while not incoming.pieces:
            stream.resume()
            if incoming.complete:
                return None
            await self._connection._wait(incoming, self._started)  # noqa: SLF001
            if sum(map(len, incoming.pieces)) > STREAM_BACKLOG:
                stream.pause()
        return incoming.pieces.popleft()

    def aclose(self) -> None:
        """Let go; the connection is dropped unless the response was read to its end."""
        if not self._incoming.complete or self._incoming.truncated:
            self._connection.close()


def _spent(started: float, sent: float, incoming: Incoming) -> tuple[float, ...]:
    """Milliseconds of send, first byte and transfer: of those that came to their end."""
    marks = [started, sent, incoming.first_byte_at, time.perf_counter() if incoming.complete else 0]
    reached = list(takewhile(bool, marks))
    return tuple(max(end - start, 0.0) * 1000 for start, end in pairwise(reached))


def _note(phases: MutableMapping[str, float], label: str | None, spent: tuple[float, ...]) -> None:
    """Add the times of one exchange; a phase that did not end stays absent, so the ladder breaks there."""
    if label is None:
        for name, value in zip(_PHASES, spent, strict=False):
            phases[name] = phases.get(name, 0.0) + value
    elif len(spent) == len(_PHASES):
        phases[label] = phases.get(label, 0.0) + sum(spent)

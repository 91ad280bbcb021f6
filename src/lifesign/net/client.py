"""HTTP for all that is not a probe, behind the same fence: channels, sign-in, registries.

httpx2 does the HTTP. What it connects to is decided here: the name is looked up once through our own resolver,
every address is judged by the fence, the pinned address is connected to and judged again, while the Host header
and the certificate's name stay those of the URL. No proxy of the environment is used and no redirect is followed.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self, cast

import httpcore2
import httpx2

from lifesign.net.access import Net
from lifesign.net.failures import NetError, net_error, span
from lifesign.net.sockets import connect_error, share_of_time
from lifesign.net.tls import TLSOptions
from lifesign.net.url import URL, parse_url

BODY_CAP = 64 * 1024
MAX_RETRY_AFTER_S = 86_400.0
"""A receiver that asks for more than a day of silence is asked again after a day."""

_ALPN = ("http/1.1",)
_RETRYABLE_4XX = frozenset({408, 425, 429})
_MOVED_FOR_GOOD = frozenset({301, 308})
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `body` is cut at the cap that was asked for, `url` is fit to be shown."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes
    truncated: bool
    duration_s: float

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_permanent(self) -> bool:
        """Whether asking the same again cannot help: moved for good, or 4xx but 408, 425 and 429."""
        refused = 400 <= self.status < 500 and self.status not in _RETRYABLE_4XX
        return refused or self.status in _MOVED_FOR_GOOD

    @property
    def words(self) -> str:
        """`503 Service Unavailable`."""
        return f"{self.status} {_PHRASES.get(self.status, '')}".strip()

    def retry_after_s(self, now: datetime) -> float | None:
        """The wait that Retry-After asks for (RFC 9110 §10.2.3: seconds or a date), at most a day."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:10]), MAX_RETRY_AFTER_S)
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max(0.0, (aware - now).total_seconds()), MAX_RETRY_AFTER_S)


async def exchange(
    net: Net,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes,
    deadline: float,
    ca_pem: str | None = None,
    body_cap: int = BODY_CAP,
) -> Answer:
    """One request on a new connection, all in all within `deadline` (loop clock). Raises `NetError`.

    Redirects are answers. The body is read as it comes, never decompressed, and no further than the cap.
    """
    parsed = parse_url(url)
    started = time.perf_counter()
    try:
        async with asyncio.timeout_at(deadline), fenced_client(net, ca_pem=ca_pem) as client:
            request = client.build_request(method, str(parsed), headers=headers, content=content)
            response = await client.send(request, stream=True)
            body, truncated = await _read(response, body_cap)
    except TimeoutError:
        took = span(time.perf_counter() - started)
        text = f"{method} {parsed.shown}: no answer within {took}."
        raise net_error("http", "first_byte_timeout", text) from None
    except httpx2.HTTPError as error:
        raise _as_net_error(error, f"{method} {parsed.shown}", parsed) from None
    took_s = time.perf_counter() - started
    shown = parsed.shown
    return Answer(shown, response.status_code, response.headers, body, truncated, took_s)


@asynccontextmanager
async def fenced_client(
    net: Net, *, ca_pem: str | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """An httpx2 client that reaches only what the fence admits. Bound each use with `asyncio.timeout_at`.

    A refusal by the fence and a failed look-up surface as `NetError`, all else as httpx2's own errors.
    """
    transport = FencedTransport(net, net.trust.context(TLSOptions(ca_pem=ca_pem, alpn=_ALPN)))
    async with httpx2.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=None
    ) as client:
        client.headers = httpx2.Headers({"user-agent": "lifesign", "accept-encoding": "identity"})
        yield client


class FencedTransport(httpx2.AsyncBaseTransport):
    """httpx2's requests over httpcore2's connections, opened by our own network backend."""

    def __init__(self, net: Net, context: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=4,
            max_keepalive_connections=0,
            network_backend=FencedBackend(net),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the response's stream is still to be read."""
        url = request.url
        target = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        stream = cast("AsyncIterable[bytes]", request.stream)
        with _Translated():
            response = await self._pool.handle_async_request(
                httpcore2.Request(
                    request.method, target, headers=request.headers.raw, content=stream
                )
            )
        return httpx2.Response(
            response.status, headers=response.headers, stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


class FencedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to admitted, pinned addresses only; TLS above it keeps the name of the URL."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look up, judge, connect in turn, judge the peer. Raises `NetError` or `httpcore2.ConnectError`."""
        now = asyncio.get_running_loop().time()
        deadline = now + (timeout if timeout is not None else MAX_CONNECT_S)
        addresses = await self._net.find(host, deadline=deadline, phases={})
        failure: Exception | None = None
        for place, address in enumerate(addresses):
            now = asyncio.get_running_loop().time()
            patience = share_of_time(deadline, now, len(addresses) - place) - now
            try:
                stream = await self._inner.connect_tcp(
                    address, port, max(patience, 0.0), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            await self._check_peer(stream, host)
            return stream
        raise failure or httpcore2.ConnectError("no address to connect to")

    async def _check_peer(self, stream: httpcore2.AsyncNetworkStream, host: str) -> None:
        peer = stream.get_extra_info("server_addr")
        try:
            self._net.fence.admit(host, (peer[0],))
        except NetError:
            await stream.aclose()
            raise


MAX_CONNECT_S = 30.0


class _Body(httpx2.AsyncByteStream):
    """A response's body on its way from httpcore2 to httpx2."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _Translated():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _Translated:
    """Turns httpcore2's errors into httpx2's, which its users know."""

    _PAIRS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
        (httpcore2.TimeoutException, httpx2.ReadTimeout),
        (httpcore2.ConnectError, httpx2.ConnectError),
        (httpcore2.NetworkError, httpx2.ReadError),
        (httpcore2.ProtocolError, httpx2.RemoteProtocolError),
        (httpcore2.UnsupportedProtocol, httpx2.UnsupportedProtocol),
    )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for theirs, ours in self._PAIRS:
            if isinstance(error, theirs):
                raise ours(str(error)) from error


async def _read(response: httpx2.Response, cap: int) -> tuple[bytes, bool]:
    body = bytearray()
    try:
        async for part in response.aiter_raw():
            body += part
            if len(body) > cap:
                return bytes(body[:cap]), True
    finally:
        await response.aclose()
    return bytes(body), False


def _as_net_error(error: httpx2.HTTPError, what: str, url: URL) -> NetError:
    """The innermost cause says what really happened; the layers above it only say that it did."""
    place = f"{url.host}:{url.port}"
    for cause in reversed(_causes(error)):
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"{what}: the certificate was refused: {cause.verify_message}."
            return net_error("tls", "untrusted_chain", text)
        if isinstance(cause, ssl.SSLError):
            reason = (cause.reason or "no reason given").replace("_", " ").lower()
            return net_error("tls", "handshake_failed", f"{what}: TLS failed: {reason}.")
        if isinstance(cause, OSError) and isinstance(error, httpx2.ConnectError):
            return connect_error(cause, place)
    if isinstance(error, httpx2.ConnectError):
        return net_error("tcp", "unreachable", f"{what}: no connection to {place}.")
    return net_error("http", "closed_early", f"{what}: the connection broke before the answer.")


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes

"""HTTP/1.1 over a stream: requests out, llhttp's callbacks into an `Incoming`."""

import re
from typing import Protocol

import httptools

from lifesign.net.response import MAX_HEADER_BYTES, Incoming
from lifesign.net.stream import Stream
from lifesign.net.url import URL

_BAD_NAME = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_BAD_VALUE = re.compile(r"[\r\n\0]")
_SWITCHING_PROTOCOLS = 101


class RequestShape(Protocol):
    """What a codec needs of a request."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> URL: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def body(self) -> bytes: ...


class HTTP1:
    """One connection's codec. Requests run one after another; `reusable` says whether another may."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._parser = httptools.HttpResponseParser(self)
        self._incoming: Incoming | None = None
        self._head_bytes = 0
        self._wire_bytes = 0
        self._until_eof = False
        self.reusable = True

    def begin(self, request: RequestShape, incoming: Incoming) -> None:
        """Send the request; its response goes into `incoming`."""
        self._incoming = incoming
        self._head_bytes = self._wire_bytes = 0
        self._until_eof = False
        self._stream.write(encode_request(request))

    def feed(self, data: bytes, /) -> None:
        incoming = self._incoming
        if incoming is None or incoming.complete or incoming.failure is not None:
            # Nobody asked for this: the connection is out of step and must not be used again.
            self.reusable = False
            return
        incoming.touch()
        if not incoming.has_headers:
            self._head_bytes += len(data)
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(incoming, error)
        if not incoming.has_headers and self._head_bytes > MAX_HEADER_BYTES * 2:
            incoming.fail("header_too_large", "sent more than 64 kB of headers")
        # Chunk framing and extensions cost no memory but would cost time without an end.
        if self._wire_bytes > MAX_HEADER_BYTES * 4 + incoming.max_body * 8:
            incoming.fail("bad_response", "sent far more framing than body")

    def eof(self, error: OSError | None, /) -> None:
        self.reusable = False
        incoming = self._incoming
        if incoming is None or incoming.complete:
            return
        if error is None and incoming.has_headers and self._until_eof:
            incoming.end()
        incoming.wake()

    def _refuse(self, incoming: Incoming, error: Exception) -> None:
        self.reusable = False
        if incoming.complete or incoming.failure is not None:
            return
        words = str(error) or type(error).__name__
        incoming.fail(
            "bad_response", f"answered with something that is not HTTP/1.1 ({words[:120]})"
        )

    # What llhttp calls.

    def on_status(self, status: bytes) -> None:
        if self._incoming is not None:
            self._incoming.reason += status.decode("latin-1")[:200]

    def on_header(self, name: bytes, value: bytes) -> None:
        incoming = self._incoming
        if incoming is None:
            return
        incoming.add_header(name.decode("latin-1"), value.decode("latin-1"))
        if incoming.failure is not None:
            raise ValueError(incoming.failure.code)

    def on_headers_complete(self) -> None:
        incoming = self._incoming
        if incoming is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != _SWITCHING_PROTOCOLS:
            return
        incoming.status = status
        incoming.http_version = self._parser.get_http_version()
        self._frame(incoming)
        incoming.end_headers()
        if incoming.method == "HEAD":
            # llhttp cannot know that this response has no body, so its parser starts anew.
            self._parser = httptools.HttpResponseParser(self)
            incoming.end()

    def _frame(self, incoming: Incoming) -> None:
        has_length = keep_alive = False
        keep_alive = incoming.http_version != "1.0"
        for name, value in incoming.headers:
            lowered = name.lower()
            if lowered in {"content-length", "transfer-encoding"}:
                has_length = True
            elif lowered == "connection":
                keep_alive = "close" not in value.lower() and (
                    keep_alive or "keep-alive" in value.lower()
                )
        bodyless = incoming.method == "HEAD" or incoming.status in {101, 204, 304}
        self._until_eof = not has_length and not bodyless
        if not keep_alive or self._until_eof or incoming.status == _SWITCHING_PROTOCOLS:
            self.reusable = False

    def on_body(self, data: bytes) -> None:
        incoming = self._incoming
        if incoming is not None and not incoming.complete:
            incoming.add_body(data)
            if incoming.complete or incoming.failure is not None:
                self.reusable = False

    def on_message_complete(self) -> None:
        incoming = self._incoming
        if incoming is None or incoming.complete:
            return
        if not incoming.has_headers:
            incoming.next_interim()
            incoming.reason = ""
            self._head_bytes = 0
            if incoming.failure is not None:
                raise ValueError(incoming.failure.code)
            return
        incoming.end()


def encode_request(request: RequestShape) -> bytes:
    """The request as bytes. Raises `ValueError` when a header would break out of its line."""
    url = request.url
    lines = [f"{request.method} {url.target} HTTP/1.1"]
    named = set()
    for name, value in request.headers:
        # Most texts are plain, which is seen far faster than that no forbidden character is in them.
        is_plain = value.isprintable() or not _BAD_VALUE.search(value)
        if not is_plain or not name or _BAD_NAME.search(name):
            raise ValueError(f"The header {name[:40]!r} holds characters that HTTP does not allow.")
        named.add(name.lower())
        lines.append(f"{name}: {value}")
    if "host" not in named:
        lines.insert(1, f"Host: {url.authority}")
    if "user-agent" not in named:
        lines.append("User-Agent: Lifesign")
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + request.body

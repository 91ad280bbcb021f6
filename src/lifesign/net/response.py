"""A response while it arrives, with every bound that a hostile server would like to exceed."""

import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import brotli  # type: ignore[import-untyped]  # the wheel ships no types

from lifesign.core.model import Failure
from lifesign.net.failures import net_failure

MAX_HEADER_BYTES = 64 * 1024
MAX_HEADER_LINES = 100
MAX_INTERIM = 10
MAX_RATIO = 100
MAX_BODY = 1024 * 1024
RATIO_GRACE = 64 * 1024
STREAM_BACKLOG = 256 * 1024
_SLICE = 4096

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Response:
    """A whole response. Times are milliseconds; `truncated` says that the body was cut at its cap."""

    status: int
    reason: str
    http_version: str
    headers: Headers
    body: bytes
    truncated: bool
    send_ms: float
    first_byte_ms: float
    transfer_ms: float

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case."""
        return find_header(self.headers, name)


def find_header(headers: Headers, name: str) -> str | None:
    """The first value of a header, whatever its case."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


class BodyError(ValueError):
    """The body breaks a bound or its own encoding."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


class Decompressor(Protocol):
    """One content coding."""

    def __call__(self, data: bytes, limit: int, /) -> bytes:
        """Decode; at most about `limit` bytes come out, and more than that raises `BodyError`."""


def decompressor(coding: str) -> Decompressor | None:
    """The decoder of a `Content-Encoding`; None for identity. Raises `BodyError` for an unknown one."""
    name = coding.strip().lower()
    if name in {"", "identity"}:
        return None
    if name in {"gzip", "x-gzip"}:
        return _Inflate(zlib.MAX_WBITS | 16)
    if name == "deflate":
        return _Inflate(zlib.MAX_WBITS)
    if name == "br":
        return _Brotli()
    raise BodyError("bad_response", f"the content encoding {name[:40]!r} is not known")


class _Inflate:
    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)
        self._wbits = wbits
        self._begun = False

    def __call__(self, data: bytes, limit: int, /) -> bytes:
        try:
            decoded = self._stream.decompress(data, limit)
        except zlib.error:
            if self._begun or self._wbits != zlib.MAX_WBITS:
                raise BodyError("bad_response", "the compressed body cannot be decoded") from None
            # Some servers call raw deflate `deflate` (RFC 9110 §8.4.1.2 knows them).
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            self._begun = True
            return self(data, limit)
        self._begun = True
        return decoded


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def __call__(self, data: bytes, limit: int, /) -> bytes:
        pieces = []
        total = 0
        try:
            while True:
                piece = self._stream.process(data, output_buffer_limit=limit)
                pieces.append(piece)
                total += len(piece)
                data = b""
                if total >= limit or self._stream.can_accept_more_data():
                    return b"".join(pieces)
        except brotli.error:
            raise BodyError("bad_response", "the compressed body cannot be decoded") from None


class Incoming:
    """The state of one response that is arriving; a codec feeds it and an exchange waits for it.

    `streaming` keeps the body for a reader that takes it piece by piece, otherwise it is collected up to
    `max_body` and then cut. `failure` is set once and ends everything.
    """

    __slots__ = (
        "_decode",
        "_packed",
        "body_bytes",
        "complete",
        "failure",
        "first_byte_at",
        "has_headers",
        "header_bytes",
        "headers",
        "http_version",
        "interim",
        "max_body",
        "method",
        "pieces",
        "reason",
        "status",
        "streaming",
        "target",
        "truncated",
        "wake",
    )

    def __init__(
        self, method: str, target: str, *, max_body: int, streaming: bool, wake: Callable[[], None]
    ) -> None:
        self.method = method
        self.target = target
        self.max_body = max_body
        self.streaming = streaming
        self.wake = wake
        self.status = 0
        self.reason = ""
        self.http_version = "1.1"
        self.headers: Headers = []
        self.header_bytes = 0
        self.interim = 0
        self.has_headers = False
        self.first_byte_at = 0.0
        self.pieces: deque[bytes] = deque()
        self.body_bytes = 0
        self._packed = 0
        self._decode: Decompressor | None = None
        self.complete = False
        self.truncated = False
        self.failure: Failure | None = None

    def touch(self) -> None:
        """Note the first byte."""
        if not self.first_byte_at:
            self.first_byte_at = time.perf_counter()

    def add_header(self, name: str, value: str) -> None:
        """Take one line. Fails the response when there are too many or they are too long."""
        self.header_bytes += len(name) + len(value) + 4
        self.headers.append((name, value))
        if self.header_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADER_LINES:
            self.fail("header_too_large", "sent more than 64 kB or 100 lines of headers")

    def end_headers(self) -> None:
        """The final (not 1xx) headers are complete."""
        self.has_headers = True
        if coding := find_header(self.headers, "content-encoding"):
            try:
                self._decode = decompressor(coding) if self.method != "HEAD" else None
            except BodyError as error:
                self.fail(error.code, error.words)
        if self.streaming:
            self.wake()

    def next_interim(self) -> None:
        """A 1xx went by; a server may send a few of them, not a flood."""
        self.interim += 1
        self.headers.clear()
        self.header_bytes = 0
        if self.interim > MAX_INTERIM:
            self.fail("bad_response", f"sent more than {MAX_INTERIM} interim (1xx) responses")

    def add_body(self, data: bytes) -> None:
        """Take a piece of the body as it came over the wire."""
        if self._decode is None:
            self._keep(data)
        else:
            try:
                self._expand(data, self._decode)
            except BodyError as error:
                self.fail(error.code, error.words)
                return
        if self.truncated:
            self.end()
        elif self.streaming:
            self.wake()

    def _keep(self, data: bytes) -> None:
        room = self.max_body - self.body_bytes
        if len(data) > room:
            self.truncated = True
            data = data[:room]
        self.body_bytes += len(data)
        if data:
            self.pieces.append(data)

    def _expand(self, data: bytes, decode: Decompressor) -> None:
        """Unpack slice by slice, so that the ratio is judged before much has been unpacked."""
        for start in range(0, len(data), _SLICE):
            piece = data[start : start + _SLICE]
            self._packed += len(piece)
            allowed = RATIO_GRACE + MAX_RATIO * self._packed - self.body_bytes
            unpacked = decode(piece, max(1, min(allowed, self.max_body - self.body_bytes) + 1))
            if len(unpacked) > allowed:
                raise BodyError(
                    "body_too_large",
                    f"sent a body that grows more than {MAX_RATIO}-fold when unpacked",
                )
            self._keep(unpacked)
            if self.truncated:
                return

    def end(self) -> None:
        """The response is whole (or cut at its cap)."""
        self.complete = True
        self.wake()

    def fail(self, code: str, words: str, *, layer: str = "http") -> None:
        """Give the response up: `words` follow the name of the target."""
        if self.failure is None and not self.complete:
            self.failure = net_failure(layer, code, f"{self.target} {words}.")
            self.wake()

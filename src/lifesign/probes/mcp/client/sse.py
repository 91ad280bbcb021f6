"""An incremental reader of Server-Sent Events, as strict as the browsers' and no stricter.

Follows "Interpreting an event stream" of the HTML standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html): lines end with CR, LF or CRLF, however
the bytes were cut into chunks; one leading BOM is dropped; `data` lines are joined with LF.
"""

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
_FIELDS = frozenset({b"data", b"event", b"id", b"retry"})


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One dispatched event. `data` may be empty: that is how a server primes a resumable stream."""

    name: str
    data: bytes


class EventReader:
    """Feed it chunks in order; it gives back the events that they complete.

    `comments` counts keep-alive comments, `strays` the lines that name no field (a server that forgot
    `data:`). `last_id` and `retry_ms` are what a stream that breaks off is resumed with. `is_mid_event` says whether an event was begun and not closed by an empty line.
    """

    __slots__ = (
        "_after_cr", "_data", "_is_first", "_name", "_pieces", "comments", "last_id", "retry_ms", "strays",
    )  # fmt: skip

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._after_cr = False
        self._is_first = True
        self._name = ""
        self._data: list[bytes] = []
        self.comments = 0
        self.strays = 0
        self.last_id = ""
        self.retry_ms: int | None = None

    @property
    def is_mid_event(self) -> bool:
        """Whether bytes were read that no event has been made of."""
        return bool(self._data or any(self._pieces))

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Read one chunk and return the events that end in it."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if not chunk:
            return []
        if b"\n" not in chunk and b"\r" not in chunk:
            # Kept apart until a line ends, so that one long line in small chunks costs linear time.
            self._pieces.append(chunk)
            return []
        self._pieces.append(chunk)
        lines = b"".join(self._pieces).splitlines(keepends=True)
        rest = lines.pop() if lines[-1][-1:] not in b"\r\n" else b""
        self._pieces = [rest] if rest else []
        self._after_cr = not rest and lines[-1][-1:] == b"\r"
        events = [self._take(line.rstrip(b"\r\n")) for line in lines]
        return [event for event in events if event is not None]

    def _take(self, line: bytes) -> ServerEvent | None:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        if line[:1] == b":":
            self.comments += 1
            return None
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            self.last_id = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit():
            self.retry_ms = int(value[:9])
        elif field not in _FIELDS:
            self.strays += 1
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return ServerEvent(name or "message", b"\n".join(data)) if data else None

"""What comes in and what goes out: `Call`, `Answer`, and the short ways to write one."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lifesign.testing.protocol import STEPS

PLACES = frozenset({"prm", "as_metadata", "token", "health"})
"""The steps beside the endpoint: metadata of the resource and of its authorization server, tokens, health."""

JSON = "application/json"
STREAM = "text/event-stream"

_PATHS = (
    ("/.well-known/oauth-protected-resource", "prm"),
    ("/.well-known/oauth-authorization-server", "as_metadata"),
    ("/.well-known/openid-configuration", "as_metadata"),
    ("/token", "token"),
    ("/health", "health"),
)


@dataclass(frozen=True)
class Call:
    """One request as it came. `nth` counts the requests of its step, from 1; `connection` the connections."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    nth: int = 1
    otherwise: "Callable[[Call], Answer] | None" = field(default=None, repr=False, compare=False)

    @property
    def json(self) -> dict[str, Any]:
        """The body, decoded; empty when there is no JSON object in it."""
        try:
            decoded = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return decoded if isinstance(decoded, dict) else {}

    @property
    def step(self) -> str:
        """What is asked: a step of MCP, `stream` (GET), `delete`, or one of the places beside the endpoint."""
        for path, step in _PATHS:
            if self.path.startswith(path):
                return step
        if self.method in {"DELETE", "GET"}:
            return "delete" if self.method == "DELETE" else "stream"
        method = self.json.get("method")
        if not isinstance(method, str):
            return ""
        return STEPS.get(method) or ("notice" if method.startswith("notifications/") else "")

    @property
    def is_endpoint(self) -> bool:
        """Whether the endpoint itself was asked, and no place beside it."""
        return not any(self.path.startswith(path) for path, _ in _PATHS)

    def faithful(self) -> "Answer":
        """What a faithful server says to this."""
        return self.otherwise(self) if self.otherwise else Answer(404)


@dataclass(eq=False)
class Feed:
    """An open stream: what is put into `queue` is sent on it, and a comment after `keepalive` seconds of silence.

    `subscription` is the request that opened it in the modern era; None for a GET stream. `ended` is called when the
    client hangs up.
    """

    queue: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)
    keepalive: float | None = 15.0
    subscription: Any = None
    ended: Callable[[], object] | None = None


Part: TypeAlias = bytes | float
"""Bytes of a body, or seconds to wait before what comes next."""


@dataclass(frozen=True)
class Answer:
    """What to say. `chunks` makes the body chunked; after it comes `then`: end, close, reset, hang or comments.

    `close_after` drops the connection after a whole answer that promised to keep it. `raw` is put on the wire as it
    is, without any HTTP of ours, and is followed by `then` too. `delay` seconds pass before the first byte. A `feed`
    goes on after the chunks until the client hangs up.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    chunks: Iterable[Part] | None = None
    then: str = "end"
    close_after: bool = False
    is_silent: bool = False
    raw: Iterable[Part] | None = None
    delay: float = 0.0
    feed: Feed | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The JSON object in the body; empty when there is none."""
        decoded = json.loads(self.body) if self.body else {}
        return decoded if isinstance(decoded, dict) else {}


Say: TypeAlias = Answer | Callable[[Call], Answer]
"""An answer, or how it follows from the call."""


def as_json(document: object, status: int = 200, **headers: str) -> Answer:
    """A JSON document."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return Answer(status, {"Content-Type": JSON} | headers, body)


def page(words: str, status: int = 200, **headers: str) -> Answer:
    """A web page."""
    body = f"<!doctype html><html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>"
    return Answer(status, {"Content-Type": "text/html; charset=utf-8"} | headers, body.encode())


def reply(call: Call, result: object, **headers: str) -> Answer:
    """A good JSON reply to a call."""
    message = {"jsonrpc": "2.0", "id": call.json.get("id"), "result": result}
    return as_json(message, 200, **headers)


def error(
    number: int, message: str = "No.", *, status: int = 200, **extra: object
) -> Callable[[Call], Answer]:
    """A JSON-RPC error in reply to whatever is asked."""

    def say(call: Call) -> Answer:
        wrong = {"code": number, "message": message} | extra
        return as_json({"jsonrpc": "2.0", "id": call.json.get("id"), "error": wrong}, status)

    return say


def events(*chunks: Part, then: str = "end") -> Answer:
    """An event stream of these bytes."""
    return Answer(headers={"Content-Type": STREAM}, chunks=chunks, then=then)


def event(message: object, *, line: str = "\n") -> bytes:
    """One message as an event."""
    data = json.dumps(message, ensure_ascii=False)
    return f"event: message{line}data: {data}{line}{line}".encode()


def altered(change: Callable[[dict[str, Any]], object]) -> Callable[[Call], Answer]:
    """The faithful reply with its result changed."""

    def say(call: Call) -> Answer:
        answer = call.faithful()
        message = answer.message
        if "result" not in message:
            return answer
        body = json.dumps(message | {"result": change(message["result"])}, ensure_ascii=False)
        return Answer(answer.status, answer.headers, body.encode(), delay=answer.delay)

    return say


def merged(**changes: object) -> Callable[[Call], Answer]:
    """The faithful reply with these keys of its result replaced; a key that is given None is left out."""

    def change(result: dict[str, Any]) -> object:
        kept = {key: value for key, value in result.items() if key not in changes}
        return kept | {key: value for key, value in changes.items() if value is not None}

    return altered(change)

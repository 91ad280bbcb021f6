"""MCP servers for measuring, all in one small fast process; the path says which: sizes, framings, eras.

| path | what answers |
|---|---|
| /mcp | handshake era, JSON, a session, 10 tools |
| /stateless | the same without a session |
| /rich | the same with 31 tools, 43 KB of them |
| /events | the same with 13 tools, as event streams with a priming event |
| /modern | the stateless era of 2026-07-28, 10 tools |
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, cast

import httptools

_SERVER = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {"listChanged": False}},
    "serverInfo": {"name": "bench", "version": "1"},
}
_DISCOVERED = {
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "resultType": "complete",
    "ttlMs": 0,
    "cacheScope": "private",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "bench", "version": "1"}},
}
_PRIMING = b"id: 1_0\ndata: \n\n"


def _tools(count: int, *, properties: int) -> list[dict[str, Any]]:
    """Tools whose schemas have so many properties, each with a description of ordinary length."""
    described = {
        f"option_{number}": {
            "type": ("string", "integer", "boolean")[number % 3],
            "description": "What this option changes in how the work is done, in one sentence.",
        }
        for number in range(properties)
    }
    return [
        {
            "name": f"tool_{number}",
            "description": "A tool of ordinary size that does nothing at all but stand in a list.",
            "inputSchema": {"type": "object", "properties": described, "required": ["option_0"]},
            "annotations": {"readOnlyHint": True},
        }
        for number in range(count)
    ]


def _encoded(result: object) -> bytes:
    return json.dumps(result, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Site:
    """One path: its list, and how it answers."""

    tools: bytes
    session: str = "bench-session-0001"
    is_modern: bool = False
    is_stream: bool = False

    @property
    def results(self) -> dict[str, bytes]:
        """The result of each method it knows."""
        if self.is_modern:
            return {"server/discover": _encoded(_DISCOVERED), "tools/list": self.tools}
        return {"initialize": _encoded(_SERVER), "tools/list": self.tools}


_SMALL = _tools(10, properties=2)
_ENDING = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
SITES = {
    b"/mcp": Site(_encoded({"tools": _SMALL})),
    b"/stateless": Site(_encoded({"tools": _SMALL}), session=""),
    b"/rich": Site(_encoded({"tools": _tools(31, properties=11)})),
    b"/events": Site(_encoded({"tools": _tools(13, properties=4)}), is_stream=True),
    b"/modern": Site(_encoded({"tools": _SMALL, **_ENDING}), session="", is_modern=True),
}
_RESULTS = {path: site.results for path, site in SITES.items()}


class MCP(asyncio.Protocol):
    """Streamable HTTP: what a visit needs, and no more."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's, so they cannot be told apart by isinstance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._transport is not None
        path = b"/" + self._url.split(b"/")[1]
        self._transport.write(_answer(path, self._parser.get_method(), self._body))


def _answer(path: bytes, method: bytes, body: bytes) -> bytes:
    site = SITES.get(path)
    if site is None:
        return _whole(404, b"")
    if method == b"DELETE":
        return _whole(204, b"")
    if method != b"POST":
        return _whole(405, b"")
    call = json.loads(body)
    if "id" not in call:
        return _whole(202, b"")
    result = _RESULTS[path].get(call["method"])
    number = b"%d" % call["id"]
    if result is None:
        error = b'{"jsonrpc":"2.0","id":%b,"error":{"code":-32601,"message":"Method not found"}}'
        return _whole(404 if site.is_modern else 400, error % number)
    text = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (number, result)
    headers = b""
    if site.session and call["method"] == "initialize":
        headers = b"Mcp-Session-Id: %b\r\n" % site.session.encode()
    return _stream(text, headers) if site.is_stream else _whole(200, text, headers)


def _whole(status: int, body: bytes, headers: bytes = b"") -> bytes:
    kind = b"Content-Type: application/json\r\n" if body else b""
    return b"HTTP/1.1 %d X\r\n%b%bContent-Length: %d\r\n\r\n%b" % (
        status,
        kind,
        headers,
        len(body),
        body,
    )


def _stream(text: bytes, headers: bytes) -> bytes:
    event = b"event: message\nid: 1_1\ndata: " + text + b"\n\n"
    head = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n%bTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (_PRIMING, event))
    return head % headers + chunks + b"0\r\n\r\n"

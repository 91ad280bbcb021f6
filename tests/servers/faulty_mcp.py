"""An MCP server over Streamable HTTP, written against the specification and not against any SDK.

It is faithful unless told otherwise: each step (initialize, initialized, tools_list, delete) can be given an
`Answer` of its own, so that a probe meets every fault on a real socket.

    async with FaultyMCP(initialize=Answer(status=500)) as server:
        ...  # server.url, server.requests, server.connections
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

SESSION = "session-4711"
TOOL = {
    "name": "echo",
    "description": "Says what it was told.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}

_STEPS = {
    "initialize": "initialize",
    "notifications/initialized": "initialized",
    "tools/list": "tools_list",
}


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> dict[str, Any]:
        """The body, decoded; empty when there is none."""
        return json.loads(self.body) if self.body else {}

    @property
    def step(self) -> str:
        """The rung that this request belongs to."""
        return "delete" if self.method == "DELETE" else _STEPS.get(self.json.get("method", ""), "")


@dataclass(frozen=True)
class Answer:
    """What to say. `chunks` makes the body chunked; after it comes `then`: end, close, hang or comments.

    `close_after` drops the connection after a whole answer that promised to keep it.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    chunks: tuple[bytes, ...] | None = None
    then: str = "end"
    close_after: bool = False
    is_silent: bool = False


Say = Answer | Callable[[Call], Answer]


def reply(call: Call, result: object, **headers: str) -> Answer:
    """A good JSON reply to a call."""
    message = {"jsonrpc": "2.0", "id": call.json["id"], "result": result}
    return Answer(
        headers={"Content-Type": "application/json"} | headers, body=json.dumps(message).encode()
    )


def error(
    number: int, message: str = "No.", *, status: int = 200, **extra: object
) -> Callable[[Call], Answer]:
    """A JSON-RPC error in reply to whatever is asked."""

    def say(call: Call) -> Answer:
        body = {
            "jsonrpc": "2.0",
            "id": call.json.get("id"),
            "error": {"code": number, "message": message} | extra,
        }
        return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    return say


def events(*chunks: bytes, then: str = "end") -> Answer:
    """An event stream of these bytes."""
    return Answer(headers={"Content-Type": "text/event-stream"}, chunks=chunks, then=then)


class FaultyMCP:
    """The server; an async context manager. `tools` are listed in pages of `page_size`, `url` is its endpoint,
    `asked` is set with the first request."""

    def __init__(
        self,
        *,
        tools: tuple[Mapping[str, Any], ...] = (TOOL,),
        page_size: int = 100,
        session: str = SESSION,
        version: str | None = None,
        capabilities: Mapping[str, Any] | None = None,
        is_sse: bool = False,
        tls: ssl.SSLContext | None = None,
        **answers: Say,
    ) -> None:
        self.requests: list[Call] = []
        self.connections = 0
        self._tools = tools
        self._page_size = page_size
        self._session = session
        self._version = version
        self._capabilities = {"tools": {}} if capabilities is None else capabilities
        self._is_sse = is_sse
        self._tls = tls
        self._answers = answers
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def steps(self) -> list[str]:
        """The steps that were asked for, in order."""
        return [call.step for call in self.requests]

    async def __aenter__(self) -> Self:
        self._stop = asyncio.Event()
        self.asked = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/mcp"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        number = self.connections
        try:
            while await self._serve_one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        call = await _read_call(reader, number)
        self.requests.append(call)
        self.asked.set()
        say = self._answers.get(call.step, self._faithful)
        answer = say(call) if callable(say) else say
        if answer.is_silent:
            await self._stop.wait()
        writer.write(_head(answer))
        if answer.chunks is None:
            writer.write(answer.body or b"")
            await writer.drain()
            return not answer.close_after
        for chunk in answer.chunks:
            writer.write(_chunk(chunk))
            await writer.drain()
        return await self._finish(writer, answer.then)

    async def _finish(self, writer: asyncio.StreamWriter, then: str) -> bool:
        if then == "end":
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        while then == "comments" and not self._stop.is_set():
            writer.write(_chunk(b": still here\n\n"))
            await writer.drain()
            await _pause(self._stop, 0.02)
        if then == "hang":
            await self._stop.wait()
        return False

    def _faithful(self, call: Call) -> Answer:
        if call.step in {"initialized", "delete"}:
            return Answer(202)
        if call.step == "initialize":
            wanted = call.json["params"]["protocolVersion"]
            result: dict[str, Any] = {
                "protocolVersion": self._version or wanted,
                "capabilities": self._capabilities,
                "serverInfo": {"name": "faulty", "version": "1.0"},
            }
            headers = {"Mcp-Session-Id": self._session} if self._session else {}
            return self._framed(reply(call, result, **headers))
        if call.step == "tools_list":
            return self._framed(reply(call, self._page(call)))
        return Answer(400)

    def _page(self, call: Call) -> dict[str, Any]:
        start = int(call.json["params"].get("cursor") or 0)
        end = start + self._page_size
        page: dict[str, Any] = {"tools": list(self._tools[start:end])}
        return page | ({"nextCursor": str(end)} if end < len(self._tools) else {})

    def _framed(self, answer: Answer) -> Answer:
        if not self._is_sse:
            return answer
        note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
        stream = b"id: 1\r\ndata: \r\n\r\n: hello\r\n\r\nevent: message\r\ndata: " + note
        stream += b"\r\n\r\nevent: message\r\ndata: " + (answer.body or b"") + b"\r\n\r\n"
        headers = dict(answer.headers) | {"Content-Type": "text/event-stream"}
        return Answer(headers=headers, chunks=(stream[:40], stream[40:]))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _read_call(reader: asyncio.StreamReader, number: int) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path, headers, body, number)


def _head(answer: Answer) -> bytes:
    headers = dict(answer.headers)
    if answer.chunks is not None:
        headers["Transfer-Encoding"] = "chunked"
    elif "Content-Length" not in headers:
        headers["Content-Length"] = str(len(answer.body or b""))
    lines = [
        f"HTTP/1.1 {answer.status} X",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"

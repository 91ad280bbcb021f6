"""stdio to Streamable HTTP: each line of standard input is posted to a daemon, each answer is a line.

A faithful proxy that understands only what the transport asks of it (both eras of the protocol):

1. In the handshake era the negotiated version and the session id of `initialize` go with every later
   message as headers; in the modern era version, method and name of each message do.
2. Requests are posted side by side, notifications and `initialize` in their order.
3. A modern `notifications/cancelled` is not a message over HTTP: it closes the request's exchange.
4. An answer may be one JSON body or an event stream; what HTTP alone refuses becomes a JSON-RPC error,
   because a client that waits for an id must hear of it.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

logger = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]
"""Sends one line, without its end."""

_VERSION_META = "io.modelcontextprotocol/protocolVersion"
_HANDSHAKE_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PARSE_ERROR, _INVALID_REQUEST, _INTERNAL_ERROR = -32700, -32600, -32603
_MOST_IN_FLIGHT = 32
_SAID_CHARS = 500
_GRACE_S = 10.0
"""How long requests may go on after standard input has ended, so that a script gets its answers."""

JSONObject = Mapping[str, Any]


@dataclass(slots=True)
class _Memory:
    """What the transport has to remember between messages."""

    version: str = ""
    session_id: str = ""
    in_flight: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class Bridge:
    """One conversation. `client` carries the credentials; its time-outs bound each exchange."""

    def __init__(self, client: httpx2.AsyncClient, url: str, write: Write) -> None:
        self._client = client
        self._url = url
        self._write = write
        self._memory = _Memory()
        self._room = asyncio.Semaphore(_MOST_IN_FLIGHT)

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Carry messages until `lines` end and what is under way has been answered."""
        async with asyncio.TaskGroup() as tasks:
            async for line in lines:
                if line.strip():
                    await self._take(line, tasks)
            await self._finish()
        await self._end_session()

    async def _take(self, line: bytes, tasks: asyncio.TaskGroup) -> None:
        message = _message_in(line)
        if message is None:
            await self._refuse(None, _PARSE_ERROR, "This line is not one JSON object.")
        elif "id" not in message or "method" not in message:
            await self._notify(message)
        elif message["method"] == "initialize":
            # What follows has to carry the version that this answers with.
            self._memory.version = ""
            await self._request(message)
        else:
            await self._room.acquire()
            key = _key(message["id"])
            task = tasks.create_task(self._request(message))
            self._memory.in_flight[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))

    def _landed(self, key: str, task: asyncio.Task[None]) -> None:
        self._room.release()
        if self._memory.in_flight.get(key) is task:
            del self._memory.in_flight[key]

    async def _finish(self) -> None:
        waiting = tuple(self._memory.in_flight.values())
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=_GRACE_S)
            for task in late:
                task.cancel()

    async def _notify(self, message: JSONObject) -> None:
        """Post what has no answer: a notification, or the client's reply to the server."""
        if message.get("method") == "notifications/cancelled" and self._is_modern(message):
            params = message.get("params")
            task = self._memory.in_flight.get(_key((params or {}).get("requestId")))
            if task is not None:
                task.cancel()
            return
        try:
            response = await self._client.post(
                self._url, content=_encoded(message), headers=self._headers(message)
            )
        except httpx2.HTTPError as error:
            logger.warning("%s was not delivered: %s", message.get("method"), _why(error))
            return
        if response.is_error:
            logger.warning("%s was refused: HTTP %s", message.get("method"), response.status_code)

    async def _request(self, message: JSONObject) -> None:
        """Post a request and pass on its answer, or an error in its place."""
        id = message["id"]
        answered = False
        try:
            async with self._client.stream(
                "POST", self._url, content=_encoded(message), headers=self._headers(message)
            ) as response:
                async for answer in _answers(response, id):
                    answered = answered or "method" not in answer
                    self._remember(message, answer, response)
                    await self._write(_encoded(answer))
            if not answered:
                await self._refuse(id, _INTERNAL_ERROR, "The daemon ended the answer half-way.")
        except httpx2.HTTPError as error:
            text = f"Lifesign at {self._url} did not answer ({_why(error)}). Is `lifesign serve` running?"
            await self._refuse(id, _INTERNAL_ERROR, text)

    def _remember(self, message: JSONObject, answer: JSONObject, response: httpx2.Response) -> None:
        result = answer.get("result")
        if message["method"] == "initialize" and isinstance(result, dict):
            self._memory.version = str(result.get("protocolVersion", ""))
            self._memory.session_id = response.headers.get("mcp-session-id", "")

    def _is_modern(self, message: JSONObject) -> bool:
        version = _version_in(message) or self._memory.version
        return bool(version) and version not in _HANDSHAKE_VERSIONS

    def _headers(self, message: JSONObject) -> dict[str, str]:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        own = _version_in(message)
        if own:
            # A modern client says its version in each message; replies to come may lean on it.
            self._memory.version = own
            headers |= _routing_headers(message)
        if self._memory.version:
            headers["MCP-Protocol-Version"] = self._memory.version
        if self._memory.session_id:
            headers["Mcp-Session-Id"] = self._memory.session_id
        return headers

    async def _refuse(self, id: object, code: int, text: str) -> None:
        await self._write(_encoded(_error(id, code, text)))

    async def _end_session(self) -> None:
        """Tell the daemon that a session of the handshake era is over, if it keeps one."""
        if not self._memory.session_id:
            return
        headers = {
            "Mcp-Session-Id": self._memory.session_id,
            "MCP-Protocol-Version": self._memory.version,
        }
        try:
            await self._client.delete(self._url, headers=headers)
        except httpx2.HTTPError as error:
            logger.info("The session was not ended: %s", _why(error))


async def _answers(response: httpx2.Response, id: object) -> AsyncIterator[JSONObject]:
    """The messages in an answer, whatever its form; a refusal by HTTP becomes an error for `id`."""
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.is_success and media == "text/event-stream":
        async for event in httpx2.EventSource(response):
            message = _message_in(event.data.encode()) if event.data else None
            if message is not None:
                yield message
        return
    body = await response.aread()
    message = _message_in(body) if media == "application/json" else None
    if message is not None and "jsonrpc" in message:
        # The daemon answers with a null id when it refused before it had read ours.
        yield message if message.get("id") is not None else {**message, "id": id}
        return
    yield _error(id, _INVALID_REQUEST, _refusal(response, message))


def _refusal(response: httpx2.Response, message: JSONObject | None) -> str:
    said = str((message or {}).get("error_description", ""))[:_SAID_CHARS]
    if response.status_code == httpx2.codes.UNAUTHORIZED:
        return f"Lifesign refused the token. {said} Set LIFESIGN_TOKEN to a token that is valid.".strip()
    return f"Lifesign answered HTTP {response.status_code}. {said}".strip()


def _message_in(line: bytes) -> JSONObject | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _version_in(message: JSONObject) -> str:
    """The protocol version that a modern message carries in itself."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return str(meta.get(_VERSION_META, "")) if isinstance(meta, dict) else ""


def _routing_headers(message: JSONObject) -> dict[str, str]:
    method = str(message.get("method", ""))
    headers = {"Mcp-Method": _header_value(method)}
    params = message.get("params")
    name = params.get(_NAMED_BY.get(method, "")) if isinstance(params, dict) else None
    return headers | ({"Mcp-Name": _header_value(name)} if isinstance(name, str) else {})


def _header_value(text: str) -> str:
    """The text as it is, or in the sentinel form for what a header cannot carry (2026-07-28)."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    if plain and not text.startswith("=?base64?"):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _key(id: object) -> str:
    """An id as a key under which `1` and `"1"` are two."""
    return json.dumps(id)


def _encoded(message: JSONObject) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _error(id: object, code: int, text: str) -> JSONObject:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}


def _why(error: httpx2.HTTPError) -> str:
    return str(error) or type(error).__name__

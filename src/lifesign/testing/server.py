"""The server itself: faithful to the specification unless told otherwise."""

import asyncio
import json
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

from lifesign.testing.answers import PLACES, Answer, Call, Say, as_json, event
from lifesign.testing.dialogue import Dialogue
from lifesign.testing.endpoint import Framing
from lifesign.testing.everything import TOOLS
from lifesign.testing.faults import FAULTS, Where
from lifesign.testing.gate import ISSUER_PATH, Gate
from lifesign.testing.health import health_of
from lifesign.testing.offer import JSONObject, Memory, Offer, Tool, as_tools
from lifesign.testing.protocol import Transport
from lifesign.testing.replica import Replica, Sessions
from lifesign.testing.ways import Arrival, Ways
from lifesign.testing.wire import read_call, reset, send

TOOL: JSONObject = {
    "name": "echo",
    "description": "Says what it was told.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}

SMALL = Offer(tools=(Tool(TOOL, TOOLS[0].act),))
"""One tool and nothing else: what a server offers when it is not told."""


class FaultyMCP:
    """An MCP server on a real socket; an async context manager.

        async with FaultyMCP(tools_list=Answer(status=500)) as server:
            ...  # server.url, server.requests, server.connections

    fault: a switch of `FAULTS`, for example `tools_list/hang`. Everything else that is given changes the server
    further, see `Ways.told`: its settings, `tools`, `is_sse`, and answers to steps (`initialize=Answer(status=500)`,
    `every=…` for each call to the endpoint).
    tls: serves https with this context. A fault that needs TLS is only seen with one.
    """

    def __init__(
        self,
        fault: str = "",
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        **told: Any,
    ) -> None:
        self.requests: list[Call] = []
        self.connections = 0
        self.fault = fault
        self.ways = _start(fault).told(**told)
        self._tls = tls
        self._place = (host, port)
        self._seen: Counter[str] = Counter()
        self._dealt = 0
        self._connected: set[asyncio.Task[None]] = set()
        self._replicas = _replicas(self.ways)
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None

    @property
    def steps(self) -> list[str]:
        """The steps that were asked for, in order."""
        return [call.step for call in self.requests]

    @property
    def sessions(self) -> list[str]:
        """The ids of the sessions that are open on any replica."""
        return sorted({name for replica in self._replicas for name in replica.sessions.feeds})

    @property
    def base(self) -> str:
        """The address without a path."""
        return self.url.rpartition("/")[0]

    @property
    def health_url(self) -> str:
        """Where the server says how it is."""
        return f"{self.base}/health"

    @property
    def issuer(self) -> str:
        """The authorization server's name."""
        return self.base + ISSUER_PATH

    def redeploy(
        self,
        *,
        tools: Sequence[JSONObject | Tool] | None = None,
        offer: Offer | None = None,
        release: str = "",
        replica: int | None = None,
    ) -> None:
        """Publish something else from now on, on one replica or on all, and say so on open streams.

        A server with two replicas of which one is redeployed answers A/B/A.
        """
        for found in self._replicas if replica is None else (self._replicas[replica],):
            dialogue = found.dialogue
            dialogue.offer = dialogue.offer if offer is None else offer
            if tools is not None:
                dialogue.offer = replace(dialogue.offer, tools=as_tools(tools))
            dialogue.release = release or dialogue.release
            found.tell_of_change()

    async def __aenter__(self) -> Self:
        self.asked = asyncio.Event()
        host, port = self._place
        if self.ways.arrival is Arrival.REFUSE:
            self._held = socket.socket()
            self._held.bind(self._place)
            port = self._held.getsockname()[1]
        else:
            self._server = await asyncio.start_server(self._serve, host, port, ssl=self._context)
            port = self._server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{self._scheme}://{shown}:{port}/{'sse' if self._is_beside else 'mcp'}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._held is not None:
            self._held.close()
        if self._server is not None:
            self._server.close()
        for task in self._connected:
            task.cancel()
        await asyncio.gather(*self._connected, return_exceptions=True)

    async def stay(self) -> None:
        """Serve until cancelled."""
        await asyncio.get_running_loop().create_future()

    @property
    def _is_beside(self) -> bool:
        return self.ways.transport is Transport.SSE

    @property
    def _scheme(self) -> str:
        pretends = self.ways.arrival in {Arrival.PLAIN_TEXT, Arrival.SILENT_TLS}
        return "https" if self._tls or pretends else "http"

    @property
    def _context(self) -> ssl.SSLContext | None:
        return self._tls if self.ways.arrival is Arrival.SERVE else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connected.add(task)
        # A cancelled connection ends here: asyncio's streams would log the cancellation as an error.
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._greet(reader, writer, number)
        finally:
            self._connected.discard(task)
            if task.cancelling():
                writer.transport.abort()
            else:
                writer.close()

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        match self.ways.arrival:
            case Arrival.RESET:
                reset(writer)
            case Arrival.PLAIN_TEXT:
                await reader.read(1)
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            case Arrival.SILENT_TLS:
                await reader.read()
            case _:
                while await self._serve_one(reader, writer, number):
                    continue

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        try:
            call = await read_call(reader, number)
        except (ValueError, asyncio.LimitOverrunError):
            await send(reader, writer, Answer(400), bodiless=False)
            return False
        self._seen[call.step] += 1
        call = replace(call, nth=self._seen[call.step], otherwise=self._plainly)
        self.requests.append(call)
        self.asked.set()
        answer = self._answer(call)
        return await send(reader, writer, answer, bodiless=call.method == "HEAD")

    def _answer(self, call: Call) -> Answer:
        said = self._told(call)
        if said is None:
            said = self._faithful(call)
        elif callable(said):
            said = said(call)
        is_message = self._is_beside and call.method == "POST" and call.is_endpoint
        return self._moved_to_stream(call, said) if is_message else said

    def _told(self, call: Call) -> Say | None:
        """What was given for this step; `every` holds for the endpoint only."""
        given = self.ways.answers
        if call.step in given:
            return given[call.step]
        return given.get("every") if call.is_endpoint else None

    def _moved_to_stream(self, call: Call, answer: Answer) -> Answer:
        """HTTP+SSE: what is said goes to the stream, and the POST is answered with 202. A refusal stays where it is."""
        feed = self._replicas[0].feed_of(call)
        if feed is None or not 200 <= answer.status < 300:
            return answer
        if answer.body:
            feed.queue.put_nowait(event(json.loads(answer.body)))
        for part in answer.chunks or ():
            if isinstance(part, bytes):
                feed.queue.put_nowait(part)
        return Answer(202, {"Content-Type": "text/plain"}, b"Accepted")

    def _faithful(self, call: Call) -> Answer:
        """What is said when nothing else was told."""
        return self._plainly(call, self.ways.framing)

    def _plainly(self, call: Call, framing: Framing | None = None) -> Answer:
        """The faithful answer, as JSON unless framed otherwise."""
        gate = self.ways.gate
        if call.step in PLACES:
            return self._beside(call, gate)
        if gate is not None and gate.is_guarded(call) and not gate.lets_in(call):
            return gate.refusal(call, self.base, self.url.removeprefix(self.base))
        self._dealt += 1
        turn = call.connection if self.ways.is_sticky else self._dealt
        replica = self._replicas[(turn - 1) % len(self._replicas)]
        return replica.answer(call, framing or Framing())

    def _beside(self, call: Call, gate: Gate | None) -> Answer:
        """The places beside the endpoint."""
        if call.step == "health":
            return health_of()
        if gate is None:
            return Answer(404)
        path = self.url.removeprefix(self.base)
        match call.step:
            case "prm" if call.path.endswith(("oauth-protected-resource", path)):
                return as_json(gate.resource_metadata(self.base, path))
            case "as_metadata" if ISSUER_PATH in call.path:
                return as_json(gate.server_metadata(self.base))
            case "token" if call.method == "POST":
                return gate.mint(call)
        return Answer(404)


def faulty(fault: str, **told: Any) -> FaultyMCP:
    """A server with one of `FAULTS`, and whatever else is told to it."""
    return FaultyMCP(fault, **told)


def _start(fault: str) -> Ways:
    """The ways of a fault, or of a small faithful server."""
    if not fault:
        return Ways(offer=SMALL, capabilities={"tools": {}})
    if fault not in FAULTS:
        raise ValueError(
            f"There is no fault {fault!r}; `python -m lifesign.testing --list` names all."
        )
    if FAULTS[fault].where is Where.STDIO:
        raise ValueError(
            f"{fault} is a fault of a program: `python -m lifesign.testing stdio --fault {fault}`."
        )
    return FAULTS[fault].ways


def _replicas(ways: Ways) -> list[Replica]:
    memory, sessions = Memory(), Sessions(ways.session)
    return [
        Replica(
            ways,
            Dialogue(
                ways.offer, ways.version, ways.capabilities, page_size=ways.page_size, memory=memory
            ),
            sessions if ways.shares_sessions else Sessions(ways.session),
        )
        for _ in range(ways.replicas)
    ]

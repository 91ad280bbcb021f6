"""The line to a program: one JSON message a line, over its stdin and stdout.

What else the program writes to stdout is counted and kept, because real clients stumble over it. Requests of the
server's own are answered: a ping with a result, everything else with *method not found*.
"""

import asyncio
import time
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import msgspec

from lifesign.core.model import Failure, Reason
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.answers import Answer, Exchange
from lifesign.probes.mcp.client.events import hang
from lifesign.probes.mcp.client.last_words import (
    MAX_EVIDENCE_BYTES,
    MAX_STRAY_CHARS,
    Strays,
    counted,
    end_of,
    last_lines,
)
from lifesign.probes.mcp.client.line import Message
from lifesign.probes.mcp.client.process import Process, SpawnError
from lifesign.probes.mcp.client.wire import Fault, Notice, Reply, read_event
from lifesign.probes.mcp.codes import CODES

MAX_ASKED_BACK = 100
"""How many requests of the server's own are answered on one line."""

LAST_WORDS_S = 0.5
"""How long a program that closed its stdout may take to end, so that its exit status can be told."""

_STRAY = frozenset({"not_json", "truncated", "not_jsonrpc"})
"""What is no message at all: a log line, JSON spread over several lines, JSON of somebody else's."""

_GREETINGS = frozenset({"discover", "initialize"})


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started, and as what it is shown. `secrets` are taken out of every evidence."""

    command: tuple[str, ...]
    shown: str
    env: dict[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


class StdioLines:
    """Makes lines to one program, which is started when it is first wanted and again when it ended meanwhile.

    Enter it; on leaving, everything that was started has ended. `phases` gets `spawn`: from the start to the first
    line that the program wrote, which is what starting it really takes.
    """

    def __init__(
        self, launch: Launch, *, deadline: float, over: float, phases: MutableMapping[str, float]
    ) -> None:
        """`deadline` is when talking ends and `over` when the program must be gone, on the loop clock."""
        self.launch = launch
        self.deadline = deadline
        self.phases = phases
        self.strays = Strays()
        self.line: StdioLine | None = None
        self._over = over
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
        while self.line is not None and (line := self.line.process.next_unread()) is not None:
            found = read_event(line, -1)
            if isinstance(found, Fault) and found.code in _STRAY:
                self.strays.note(line)

    def dial(self, transport: str) -> "StdioLine":
        """The line. Raises `NetError` when the program cannot be started."""
        del transport
        if self.line is None or not self.line.process.is_running:
            began = time.perf_counter()
            self.line = StdioLine(self._started(), self, began=began)
            self.phases["spawn"] = elapsed_ms(began)
        return self.line

    def shown_strays(self) -> list[str]:
        """The first lines that were no messages, without what looks like a credential."""
        exchange = Exchange("stdio", "stdout", self.launch.shown, secrets=self.launch.secrets)
        return [exchange.redacted(line)[:MAX_STRAY_CHARS] for line in self.strays.shown]

    def _started(self) -> Process:
        launch = self.launch
        try:
            process = Process.start(
                launch.command, env=launch.env, cwd=launch.cwd, deadline=self._over
            )
        except SpawnError as refusal:
            raise NetError(self._not_started(refusal)) from None
        self._stack.push_async_exit(process)
        self.strays = Strays()
        return process

    def _not_started(self, refusal: SpawnError) -> Failure:
        if refusal.is_ours:
            return Failure(
                "internal", "no_room",
                f"The program {self.launch.shown} could not be started: {refusal}; nothing is known about it.",
                Reason.INTERNAL,
                "Look at the limits of this machine for processes, memory and open files.",
            )  # fmt: skip
        message = f"The program {self.launch.shown} could not be started: {refusal}."
        return _failure("spawn_failed", message)


@dataclass(slots=True)
class _Waiting:
    """A request that was sent, and what came for it."""

    message: Message
    reply: tuple[bytes, Reply] | None = None
    odd: tuple[bytes, Fault] | None = None


class StdioLine:
    """One client's line to one running program. Every method but `close` raises `NetError`.

    Several requests may be under way at once, as clients do it: replies go by their ids.
    """

    transport = "stdio"
    framing = "json"
    has_session = False

    def __init__(self, process: Process, lines: StdioLines, *, began: float) -> None:
        self.process = process
        self.replied_at = 0.0
        self.was_late = False
        """Whether a reply came after its request had been given up: the program is slow, and not deaf to it."""
        self._lines = lines
        self._waiting: dict[int, _Waiting] = {}
        self._began = began
        self._is_quiet = True
        self._is_listening = self._has_ended = False
        self._heard = asyncio.Event()
        self._asked: set[int] = set()
        self._asked_back = 0

    def exchange(self, message: Message) -> Exchange:
        """How the answer to a message is judged."""
        launch = self._lines.launch
        return Exchange(message.step, message.method, launch.shown, secrets=launch.secrets)

    def join(self, *, session: str, version: str) -> None:
        """Nothing to carry: there is one client to a program, and messages say the rest."""

    async def send(self, message: Message) -> Answer:
        """Write one message and wait for its answer."""
        own, at_most = message.deadline, self._lines.deadline
        deadline = at_most if own is None else min(own, at_most)
        self.process.write(message.body)
        if message.request_id is None:
            return Answer()
        self._asked.add(message.request_id)
        body, reply = await self._reply_to(message, message.request_id, deadline)
        self.replied_at = time.perf_counter()
        return Answer(body=body, reply=reply)

    async def leave(self, deadline: float) -> None:
        """Close its stdin and see it end."""
        await self.process.end(deadline)

    def close(self) -> None:
        """End it at once."""
        self.process.kill()

    async def _reply_to(
        self, message: Message, request_id: int, deadline: float
    ) -> tuple[bytes, Reply]:
        """The reply among the lines. An odd message is only told when no reply follows it."""
        waiting = self._waiting[request_id] = _Waiting(message)
        is_late = False
        try:
            while waiting.reply is None and not self._has_ended:
                await self._hear(deadline)
        except TimeoutError:
            is_late = True
        finally:
            del self._waiting[request_id]
        if told := waiting.reply or waiting.odd:
            return told
        raise NetError(self._silent(message) if is_late else await self._gone(message, deadline))

    async def _hear(self, deadline: float) -> None:
        """Take one line, whosever it is; where another request is already listening, wait until it heard something."""
        if self._is_listening:
            async with asyncio.timeout_at(deadline):
                await self._heard.wait()
            return
        self._is_listening = True
        try:
            line = await self.process.next_line(deadline)
            if line is None:
                self._has_ended = True
                return
            if self._is_quiet:
                self._is_quiet = False
                self._lines.phases["spawn"] = elapsed_ms(self._began)
            self._take(line)
        finally:
            self._is_listening = False
            self._heard.set()
            self._heard = asyncio.Event()

    def _take(self, line: bytes) -> None:
        """Give a line to the request that it answers; what names none is for the oldest."""
        number = _id_of(line) if len(self._waiting) > 1 else None
        request_id = number if isinstance(number, int) and number in self._waiting else next(iter(self._waiting))  # fmt: skip
        reply = read_event(line, request_id)
        if isinstance(reply, Notice):
            self._answer_back(reply)
            for each in self._waiting.values():
                if each.message.on_notice is not None:
                    each.message.on_notice(reply)
        elif not isinstance(reply, Fault):
            self._waiting[request_id].reply = line, reply
        elif odd := self._odd(line, reply):
            for each in self._waiting.values():
                each.odd = each.odd or odd

    def _odd(self, line: bytes, fault: Fault) -> tuple[bytes, Fault] | None:
        """What a line that is no reply to us means; a late reply to an earlier request means nothing."""
        if fault.code in _STRAY:
            self._lines.strays.note(line)
            return None
        if fault.code == "id_mismatch" and _id_of(line) in self._asked:
            self.was_late = True
            return None
        return line, fault

    def _answer_back(self, notice: Notice) -> None:
        asked = _id_of(notice.raw)
        if asked is None or self._asked_back >= MAX_ASKED_BACK:
            return
        self._asked_back += 1
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked}
        if notice.method == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": -32601, "message": "This client offers no such method."}
        self.process.write(msgspec.json.encode(answer))

    def _silent(self, message: Message) -> Failure:
        strays, method = self._lines.strays.count, message.method
        if message.step not in _GREETINGS:
            return hang(self.exchange(message), "was not answered in time")
        if strays:
            what = f"{counted(strays)} to stdout that no client can read, and did not answer `{method}`"
            return self._failed("stdout_pollution", f"wrote {what}")
        return self._failed("no_reply", f"runs and did not answer `{method}` in time")

    async def _gone(self, message: Message, deadline: float) -> Failure:
        process = self.process
        if process.said_too_much:
            return self._failed("too_much_output", "wrote more than is read of one answer")
        await process.exits(min(deadline, asyncio.get_running_loop().time() + LAST_WORDS_S))
        end = end_of(process.status)
        return self._failed("exited", f"{end} before it answered `{message.method}`")

    def _failed(self, code: str, what: str) -> Failure:
        return _failure(code, f"The program {self._lines.launch.shown} {what}.")

    def with_last_words(self, failure: Failure) -> Failure:
        """The failure with what the program said besides: the first strays, and the end of its stderr."""
        exchange = Exchange("stdio", "stderr", "", secrets=self._lines.launch.secrets)
        strays = [f"stdout: {line}" for line in self._lines.shown_strays()]
        stderr = last_lines(self.process.stderr_tail(), exchange)
        told = "\n".join(filter(None, [failure.evidence, *strays, *stderr]))
        return replace(failure, evidence=told.encode()[:MAX_EVIDENCE_BYTES].decode(errors="ignore"))


def elapsed_ms(began: float) -> float:
    """Milliseconds since an instant of `time.perf_counter`."""
    return (time.perf_counter() - began) * 1000


def _failure(code: str, message: str) -> Failure:
    entry = CODES["stdio", code]
    return Failure("stdio", code, message, entry.reason, entry.remedy)


class _Numbered(msgspec.Struct):
    id: int | str | None = None


_id_decoder = msgspec.json.Decoder(_Numbered)


def _id_of(line: bytes) -> int | str | None:
    try:
        return _id_decoder.decode(line).id
    except msgspec.DecodeError:
        return None

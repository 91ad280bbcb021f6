"""The line to a program: one JSON message a line, over its stdin and stdout.

What else the program writes to stdout is counted and kept, because real clients stumble over it. Requests of the
server's own are answered: a ping with a result, everything else with *method not found*.
"""

import asyncio
import signal
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
from lifesign.probes.mcp.client.line import Message
from lifesign.probes.mcp.client.process import TAIL_BYTES, Process, SpawnError
from lifesign.probes.mcp.client.wire import Fault, Notice, Reply, read_event
from lifesign.probes.mcp.codes import CODES

MAX_STRAYS = 3
"""How many lines that are no messages are kept; all are counted."""

MAX_STRAY_CHARS = 200
MAX_STDERR_CHARS = 1000
"""How much of the end of stderr is told."""

MAX_EVIDENCE_BYTES = 2000

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


@dataclass(slots=True)
class Strays:
    """What came on stdout and is no message."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def note(self, line: bytes) -> None:
        """Count it, and keep it when it is among the first."""
        self.count += 1
        if len(self.shown) < MAX_STRAYS:
            self.shown.append(line[: 4 * MAX_STRAY_CHARS].decode(errors="replace"))


class StdioLines:
    """Makes lines to one program, which is started when it is first wanted and again when it ended meanwhile.

    Enter it; on leaving, everything that was started has ended. `phases` gets `spawn`.
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
            self.line = StdioLine(self._started(), self)
        return self.line

    def shown_strays(self) -> list[str]:
        """The first lines that were no messages, without what looks like a credential."""
        exchange = Exchange("stdio", "stdout", self.launch.shown, secrets=self.launch.secrets)
        return [exchange.redacted(line)[:MAX_STRAY_CHARS] for line in self.strays.shown]

    def _started(self) -> Process:
        launch, began = self.launch, time.perf_counter()
        try:
            process = Process.start(
                launch.command, env=launch.env, cwd=launch.cwd, deadline=self._over
            )
        except SpawnError as refusal:
            raise NetError(self._not_started(refusal)) from None
        self._stack.push_async_exit(process)
        self.strays = Strays()
        self.phases.setdefault("spawn", (time.perf_counter() - began) * 1000)
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


class StdioLine:
    """One client's line to one running program. Every method but `close` raises `NetError`."""

    transport = "stdio"
    framing = "json"
    has_session = False

    def __init__(self, process: Process, lines: StdioLines) -> None:
        self.process = process
        self.replied_at = 0.0
        self.was_late = False
        """Whether a reply came after its request had been given up: the program is slow, and not deaf to it."""
        self._lines = lines
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
        odd: tuple[bytes, Fault] | None = None
        while True:
            try:
                line = await self.process.next_line(deadline)
            except TimeoutError:
                if odd is not None:
                    return odd
                raise NetError(self._silent(message)) from None
            if line is None:
                if odd is not None:
                    return odd
                raise NetError(await self._gone(message, deadline))
            reply = read_event(line, request_id)
            if isinstance(reply, Notice):
                self._answer_back(reply)
                if message.on_notice is not None:
                    message.on_notice(reply)
            elif isinstance(reply, Fault):
                odd = odd or self._odd(line, reply)
            else:
                return line, reply

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
        end = _end_of(process.status)
        return self._failed("exited", f"{end} before it answered `{message.method}`")

    def _failed(self, code: str, what: str) -> Failure:
        return _failure(code, f"The program {self._lines.launch.shown} {what}.")

    def with_last_words(self, failure: Failure) -> Failure:
        """The failure with what the program said besides: the first strays, and the end of its stderr."""
        exchange = Exchange("stdio", "stderr", "", secrets=self._lines.launch.secrets)
        strays = [f"stdout: {line}" for line in self._lines.shown_strays()]
        stderr = _last_lines(self.process.stderr_tail(), exchange)
        told = "\n".join(filter(None, [failure.evidence, *strays, *stderr]))
        return replace(failure, evidence=told.encode()[:MAX_EVIDENCE_BYTES].decode(errors="ignore"))


def _failure(code: str, message: str) -> Failure:
    entry = CODES["stdio", code]
    return Failure("stdio", code, message, entry.reason, entry.remedy)


def counted(lines: int) -> str:
    """A number of lines in words."""
    return "one line" if lines == 1 else f"{lines} lines"


def _last_lines(tail: str, exchange: Exchange) -> list[str]:
    """The end of stderr in whole lines, each without what looks like a credential, oldest first."""
    for secret in exchange.secrets:
        tail = tail.replace(secret, "[redacted]")
    lines = tail.splitlines()
    if len(tail) >= TAIL_BYTES // 2 and len(lines) > 1:
        # The first one may begin in the middle, perhaps of a credential.
        del lines[0]
    kept: list[str] = []
    room = MAX_STDERR_CHARS
    for line in reversed(lines):
        shown = exchange.redacted(line)[:room]
        room -= len(shown) + 1
        if shown:
            kept.append(f"stderr: {shown}")
        if room <= 0:
            break
    return kept[::-1]


def _end_of(status: int | None) -> str:
    if status is None:
        return "closed its stdout"
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


class _Numbered(msgspec.Struct):
    id: int | str | None = None


_id_decoder = msgspec.json.Decoder(_Numbered)


def _id_of(line: bytes) -> int | str | None:
    try:
        return _id_decoder.decode(line).id
    except msgspec.DecodeError:
        return None

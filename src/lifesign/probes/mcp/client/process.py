"""A program that is spoken to in lines: it gets a session of its own, is bounded in all it says, and ends for sure."""

import asyncio
import errno
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from lifesign.probes.mcp.client.pipes import MAX_UNREAD, Inlet, Lines, Outlet

TAIL_BYTES = 8192
"""How much of the end of stderr is kept: more than is shown, so that what is cut from it was looked through."""

STDIN_GRACE_S = 2.0
TERM_GRACE_S = 3.0
"""How long a program may take to leave when its stdin closes, and then when it is told to (MCP, lifecycle, shutdown)."""

FAIR_S = 1.0
"""In less time than this a good program may not have got round to ending."""

HURRY_S = 0.5
"""How long it gets altogether when the probe was called off."""

REAP_S = 2.0
"""How long the kernel may take to end what was killed; a process in uninterruptible sleep is left to it."""

ORPHANS_S = 1.0
"""How long the program's own children may still answer after it ended."""

_POLL_S = 0.02
_BREATH = 250
"""After so many lines the rest of the program has a turn."""
_INHERITED = frozenset(
    {
        "APPDATA", "HOME", "HOMEDRIVE", "HOMEPATH", "LANG", "LANGUAGE", "LOCALAPPDATA", "LOGNAME", "PATH", "PATHEXT",
        "PROCESSOR_ARCHITECTURE", "SHELL", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TERM", "TMP", "TMPDIR", "USER",
        "USERNAME", "USERPROFILE",
    }
)  # fmt: skip
"""What the official SDKs let a server inherit, with the languages and the temporary directory."""


_OUT_OF_ROOM = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class SpawnError(Exception):
    """The program could not be started; the text says why, as the end of a sentence.

    `is_ours` tells that this machine has no room for another process, which says nothing about the program.
    """

    def __init__(self, why: str, *, is_ours: bool = False) -> None:
        super().__init__(why)
        self.is_ours = is_ours


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a program may see: no keys, no tokens, nothing of ours.

    Values that begin with `()` are left out: they are functions of a shell.
    """
    return {
        name: value
        for name, value in environ.items()
        if (name.upper() in _INHERITED or name.startswith("LC_")) and not value.startswith("()")
    }


class Process:
    """One running program. Enter it, speak, leave: on leaving, it and its whole group have ended.

    What a program starts in yet another session is out of reach, as it is for every client.
    """

    def __init__(self, popen: "subprocess.Popen[bytes]", deadline: float) -> None:
        self._popen = popen
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._tail = bytearray()
        self._news, self._exited = asyncio.Event(), asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._pidfd = -1
        self._is_over = False
        self.status: int | None = None
        """How it ended: its exit code, or a signal's number below zero; None while it runs."""
        self.ended_by = ""
        """What made it end: `itself`, `stdin` (the end of its input), `terminate` or `kill`."""
        self.is_deaf = False
        """Whether it went on after its input had ended, although it had fair time to notice."""
        pipes = [cast("IO[bytes]", pipe) for pipe in (popen.stdin, popen.stdout, popen.stderr)]
        self._stdin = Inlet(pipes[0])
        self._stdout = Outlet(pipes[1], take=self._hear, done=self._fall_silent)
        self._stderr = Outlet(pipes[2], take=self._overhear, done=lambda: None)
        self._watch()

    @classmethod
    def start(
        cls, command: Sequence[str], *, env: Mapping[str, str], cwd: str | None, deadline: float
    ) -> "Process":
        """Start a program with this environment and no more. Raises SpawnError.

        `deadline` is the instant of the loop clock at which it is over, whatever happens. Starting takes the loop a
        millisecond or two: the kernel lends our memory (vfork) until the program has begun.
        """
        try:
            popen = subprocess.Popen(  # noqa: S603 - whoever may add such a monitor may run programs
                list(command), bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=dict(env), cwd=cwd, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as refusal:
            is_ours = getattr(refusal, "errno", None) in _OUT_OF_ROOM
            why = _why_not(refusal, command[0], cwd)
            raise SpawnError(why, is_ours=is_ours) from None
        return cls(popen, deadline)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        is_called_off = kind is not None and issubclass(kind, asyncio.CancelledError)
        soon = self._loop.time() + HURRY_S
        await self.end(min(soon, self._deadline) if is_called_off else self._deadline)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is None

    @property
    def said_too_much(self) -> bool:
        """Whether it wrote a longer line, or more in all, than is read."""
        return self._stdout.was_cut

    def write(self, line: bytes) -> None:
        """Send one line. A program that does not hear it shows that by its silence."""
        self._stdin.write(line + b"\n")

    async def next_line(self, deadline: float) -> bytes | None:
        """The next line, or None when no more will come. Raises TimeoutError at the deadline.

        When the program itself has ended, its children may go on answering for a moment.
        """
        while not self._lines:
            if not self._stdout.is_open:
                return None
            was_running = self.is_running
            limit = deadline if was_running else min(deadline, self._loop.time() + ORPHANS_S)
            self._news.clear()
            try:
                async with asyncio.timeout_at(limit):
                    await self._news.wait()
            except TimeoutError:
                if was_running or limit == deadline:
                    raise
                return None
        if len(self._lines) % _BREATH == 0:
            # A flood of lines must not keep the loop from everybody else.
            await asyncio.sleep(0)
        return self._pop()

    def next_unread(self) -> bytes | None:
        """A line that came and that nobody asked for, if there is one."""
        return self._pop() if self._lines else None

    async def exits(self, until: float) -> bool:
        """Wait until it has ended; False when it still runs at that instant of the loop clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._exited.wait()
        return not self.is_running

    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr, as it is: whoever shows it takes the secrets out."""
        return self._tail.decode(errors="replace")

    async def end(self, deadline: float) -> None:
        """See to it that the program and its group are gone, and that nothing of them is left open here.

        1. Close its stdin, and wait.
        2. SIGTERM to the group, and wait.
        3. SIGKILL to the group, which also reaches children that outlived the program.
        4. Only then is its exit status taken: until that moment its number cannot become anybody else's.

        The waits are shorter when the deadline is near. A second call does nothing.
        """
        if self._is_over:
            return
        self.ended_by = "" if self.is_running else "itself"
        try:
            self._stdin.close()
            await self._leaves(deadline)
        finally:
            await self._force()

    def kill(self) -> None:
        """End the group at once; `end` takes away what remains."""
        if not self._is_over:
            self._signal(signal.SIGKILL)

    def _pop(self) -> bytes:
        if len(self._lines) == MAX_UNREAD // 2:
            self._stdout.resume()
        return self._lines.pop()

    async def _leaves(self, deadline: float) -> None:
        left = max(0.0, deadline - self._loop.time())
        grace_s = min(STDIN_GRACE_S, 0.4 * left)
        if await self.exits(self._loop.time() + grace_s):
            self.ended_by = self.ended_by or "stdin"
            return
        self.is_deaf = grace_s >= FAIR_S
        self._signal(signal.SIGTERM)
        if await self.exits(min(self._loop.time() + TERM_GRACE_S, deadline)):
            self.ended_by = "terminate"

    async def _force(self) -> None:
        """Kill what is left and take it away; a cancellation waits for that, and is passed on after it."""
        self.ended_by = self.ended_by or "kill"
        self._signal(signal.SIGKILL)
        give_up = self._loop.time() + REAP_S
        called_off: asyncio.CancelledError | None = None
        while self.is_running and self._loop.time() < give_up:
            try:
                await self.exits(give_up)
            except asyncio.CancelledError as cancelled:
                called_off = cancelled
        self._release()
        if called_off is not None:
            raise called_off

    def _signal(self, number: signal.Signals) -> None:
        """Signal the group, whose number is ours until `_release` takes the program away."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def _watch(self) -> None:
        """Learn of the exit by a descriptor, which only Linux has; elsewhere it is looked for again and again."""
        try:
            self._pidfd = os.pidfd_open(self._popen.pid)
        except (AttributeError, OSError):
            self._poll()
        else:
            self._loop.add_reader(self._pidfd, self._note_exit)

    def _poll(self) -> None:
        self._note_exit()
        if self.is_running:
            self._timer = self._loop.call_later(_POLL_S, self._poll)

    def _note_exit(self) -> None:
        self.status = _status_of(self._popen)
        if self.status is not None:
            self._unwatch()
            self._exited.set()
            self._news.set()

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _hear(self, chunk: bytes) -> bool:
        self._news.set()
        is_sound = self._lines.feed(chunk)
        if len(self._lines) > MAX_UNREAD:
            self._stdout.pause()
        return is_sound

    def _fall_silent(self) -> None:
        self._lines.finish()
        self._news.set()

    def _overhear(self, chunk: bytes) -> bool:
        self._tail += chunk
        del self._tail[:-TAIL_BYTES]
        return True

    def _release(self) -> None:
        """Close every descriptor and take the program away; the standard library keeps one that does not end."""
        self._is_over = True
        self._stderr.drain()
        for pipe in (self._stdin, self._stdout, self._stderr):
            pipe.close()
        self._unwatch()
        self._popen.poll()


def _status_of(popen: "subprocess.Popen[bytes]") -> int | None:
    """How it ended, or None. Where the system allows it, it is only looked at and not taken away yet."""
    if not hasattr(os, "waitid"):
        return popen.poll()
    try:
        found = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        # Somebody else in this process takes children away; its status is lost.
        return popen.poll()
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _why_not(refusal: Exception, program: str, cwd: str | None) -> str:
    """Why the system did not start a program, as the end of a sentence that names it."""
    if isinstance(refusal, ValueError):
        return "its command line has a character that no command line can have"
    if cwd is not None and not Path(cwd).is_dir():
        return f"there is no directory {cwd} to start it in"
    if isinstance(refusal, FileNotFoundError):
        is_path = os.sep in program
        return "there is no such file" if is_path else "there is no such program on the PATH"
    if isinstance(refusal, PermissionError):
        return "this user may not run that file"
    if getattr(refusal, "errno", None) == errno.ENOEXEC:
        return "it is no program of this machine, or a script whose first line names no interpreter"
    words = getattr(refusal, "strerror", None) or type(refusal).__name__
    return f"the system says: {words}"

"""The pipes of a child process, read and written without a thread; each is closed at the moment that we say so.

A pipe that is closed by a callback or a `finally` needs no further turn of the loop, so that nothing stays open
when the task that owned it was cancelled.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import IO

MAX_LINE = 4 * 1024 * 1024
"""The longest line that is read: a hundred times a rich tool list."""

MAX_OUTPUT = 32 * 1024 * 1024
"""How much is read of all that one program writes to one pipe; then the pipe is closed to it."""

MAX_UNREAD = 1000
"""How many lines may wait to be looked at before the pipe is left to fill."""

_CHUNK = 65_536
_PIPE_CHUNKS = 16
"""The largest pipe that an ordinary user may have is 1 MiB (Linux, pipe-max-size)."""


class Outlet:
    """A pipe that the program writes to. `take` gets what comes and says whether to read on; `done` is told of the end."""

    def __init__(
        self, pipe: IO[bytes], *, take: Callable[[bytes], bool], done: Callable[[], None]
    ) -> None:
        self._pipe = pipe
        self._take = take
        self._done = done
        self._size = 0
        self.was_cut = False
        """Whether it was closed because more came than is read."""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return not self._pipe.closed

    def pause(self) -> None:
        """Read nothing for now: a full pipe makes the program wait."""
        if self.is_open:
            self._loop.remove_reader(self._pipe.fileno())

    def resume(self) -> None:
        """Read on."""
        if self.is_open:
            self._loop.add_reader(self._pipe.fileno(), self._read)

    def drain(self) -> None:
        """Take what is there now, as much as a pipe holds."""
        for _ in range(_PIPE_CHUNKS):
            if self.is_open:
                self._read()

    def close(self) -> None:
        """Read no more; the program is told so by its next write."""
        if self.is_open:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()

    def _read(self) -> None:
        try:
            chunk = os.read(self._pipe.fileno(), _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        self._size += len(chunk)
        # Reading on for ever would let a program keep this process busy.
        self.was_cut = bool(chunk) and (not self._take(chunk) or self._size > MAX_OUTPUT)
        if not chunk or self.was_cut:
            self.close()
            self._done()


class Inlet:
    """The program's stdin: what does not fit into the pipe waits until the program has read."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._waiting = bytearray()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)

    def write(self, text: bytes) -> None:
        """Send; to a program that closed its stdin, nothing is sent, and its other pipes tell the rest."""
        if not self._pipe.closed:
            self._waiting += text
            self._flush()

    def close(self) -> None:
        """End of input. What still waits is dropped."""
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe.fileno())
            self._pipe.close()

    def _flush(self) -> None:
        number = self._pipe.fileno()
        try:
            while self._waiting:
                del self._waiting[: os.write(number, self._waiting[:_CHUNK])]
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(number, self._flush)
        except OSError:
            self.close()
        else:
            self._loop.remove_writer(number)


class Lines:
    """Bytes in any pieces, out as whole lines without their ends; blank lines say nothing and are left out."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._whole: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._whole)

    def feed(self, chunk: bytes) -> bool:
        """Take what came; False when a line grows longer than is read."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = bytes(self._partial) + piece if self._partial else piece
            self._partial.clear()
            if stripped := line.strip():
                self._whole.append(stripped)
        self._partial += rest
        return len(self._partial) <= MAX_LINE

    def pop(self) -> bytes:
        """The oldest line that nobody took yet."""
        return self._whole.popleft()

    def finish(self) -> None:
        """A last line without an end is one too."""
        if self._partial and len(self._partial) <= MAX_LINE:
            self.feed(b"\n")

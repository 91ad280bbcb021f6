"""A load test of an MCP server: so many clients at once, each doing its work again as soon as it is done.

1. One visit comes first: it finds out what the server speaks and whether the work can be done at all.
2. Every client then goes its way until the time or the number of requests is used up. What is under way by then is
   let finish within its own time-out.
3. Whatever happens, sessions are ended with DELETE. An interruption cuts off what is under way and counts none of it.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from lifesign.cli.load_net import LoadNet
from lifesign.cli.load_tally import Tally
from lifesign.cli.load_work import Act, Wish, Work, look_around, work_of
from lifesign.core.model import Failure, Reason
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.eras import Dialect, Wanted, arrive
from lifesign.probes.mcp.client.http import Endpoint
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.plan import HTTPLines

FAREWELL_S = 2.0
OVERRUN_S = 0.5
"""How far one piece of work may overrun its time-out before it is cut off from outside."""

_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
"""A server that cannot be reached is tried again after a pause that doubles up to this."""

_BROKEN = frozenset({"dns", "tcp", "tls", "http", "session", "egress"})

Stopped = Literal["duration", "requests", "interrupted"]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done. `duration_s` or `requests` ends it, whichever is first."""

    wish: Wish
    concurrency: int
    duration_s: float
    requests: int | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it, from the start to the last answer. `greeted` names who answered the first visit."""

    tally: Tally
    work: Work
    elapsed_s: float
    stopped: Stopped
    greeted: str
    address: str

    @property
    def rate(self) -> float:
        """What went well, per second."""
        return self.tally.ok / self.elapsed_s if self.elapsed_s > 0 else 0.0


@dataclass(slots=True)
class Load:
    """One load test."""

    job: Job
    endpoint: Endpoint
    wanted: Wanted
    net: LoadNet
    tally: Tally = field(default_factory=Tally)
    is_interrupted: bool = False
    _ends_at: float = 0.0
    _left: int | None = None
    _scopes: set[asyncio.Timeout] = field(default_factory=set)
    _dialect: Dialect | None = None

    async def run(self) -> Measured | None:
        """Test; None when it was interrupted before it began.

        Raises InvalidError when the work cannot be done, and `NetError` when nobody can be greeted.
        """
        with self._interruptible():
            async with self._cut_short():
                work, greeted, address = await self._look_first()
            if self.is_interrupted:
                return None
            fresh = Tally()
            self.tally = self.net.tally = fresh
            self._left = self.job.requests
            started = time.perf_counter()
            self._ends_at = asyncio.get_running_loop().time() + self.job.duration_s
            async with asyncio.TaskGroup() as group:
                for _ in range(self.job.concurrency):
                    group.create_task(self._client(work))
        elapsed_s = max(fresh.last_at - started, 0.0)
        return Measured(fresh, work, elapsed_s, self._why_stopped(), greeted, address)

    def stop(self) -> None:
        """Cut off what is under way; every client then ends its session."""
        self.is_interrupted = True
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            scope.reschedule(now)

    def _why_stopped(self) -> Stopped:
        if self.is_interrupted:
            return "interrupted"
        return "requests" if self._left == 0 else "duration"

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C ends the test and not the telling of it; a second one ends everything."""
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            self.stop()
            loop.remove_signal_handler(signal.SIGINT)

        try:
            loop.add_signal_handler(signal.SIGINT, interrupt)
        except (NotImplementedError, RuntimeError, ValueError):
            # Not on this system, or not in this thread: then it ends at once.
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _look_first(self) -> tuple[Work, str, str]:
        lines = self._lines()
        try:
            arrival = await arrive(lines, self.wanted, None, now=time.monotonic)
            self._dialect = arrival.dialect
            work = await work_of(self.job.wish, arrival.visit)
        finally:
            await _leave(lines)
        greeting = arrival.visit.greeting
        said = f"{greeting.server_name} {greeting.server_version}".strip()
        return work, f"{said}, {greeting.version}", lines.current.address

    async def _client(self, work: Work) -> None:
        async with self._cut_short():
            await self._go(work)

    @asynccontextmanager
    async def _cut_short(self) -> AsyncIterator[None]:
        """What is done within ends when somebody interrupts, as soon as it has tidied up after itself."""
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.add(scope)
                try:
                    yield
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            if not self.is_interrupted:
                raise

    async def _go(self, work: Work) -> None:
        misses = 0
        while self._take():
            act = work.act
            good = await (self._try(self._visit) if act is None else self._session(act))
            misses = 0 if good else misses + 1
            if misses:
                await asyncio.sleep(min(_PAUSE_S * 2 ** min(misses - 1, 8), _LONGEST_PAUSE_S))

    def _take(self) -> bool:
        """Whether there is one more to be done; takes it."""
        is_late = asyncio.get_running_loop().time() >= self._ends_at
        if self.is_interrupted or is_late or self._left == 0:
            return False
        if self._left is not None:
            self._left -= 1
        return True

    async def _visit(self) -> None:
        async with self._arrived() as (visit, _):
            await look_around(visit)

    async def _session(self, act: Act) -> bool:
        """Work in one session as long as it holds, beginning with what was taken. Whether all went well."""
        try:
            async with self._arrived() as (visit, lines):
                while await self._try(lambda: _within(lines, act(visit), self.job.timeout_s)):
                    if not self._take():
                        return True
        except NetError as error:
            # What fails within is counted there: this is a session that could not be had.
            self._count(error.failure)
        return False

    async def _try(self, act: Callable[[], Awaitable[None]]) -> bool:
        """Do one piece of work and count it. Whether the next one can follow at once."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.job.timeout_s + OVERRUN_S):
                await act()
        except NetError as error:
            self._count(error.failure)
            return not _is_cut_off(error.failure)
        except TimeoutError:
            self._count(_overrun(self.job.timeout_s))
            return False
        ended = time.perf_counter()
        self.tally.succeed((ended - started) * 1000)
        self.tally.last_at = ended
        return True

    def _count(self, failure: Failure) -> None:
        self.tally.fail(failure)
        self.tally.last_at = time.perf_counter()

    @asynccontextmanager
    async def _arrived(self) -> AsyncIterator[tuple[Visit, HTTPLines]]:
        """A visit that is greeted when it is entered, and ended with DELETE however it is left."""
        lines = self._lines()
        try:
            arrival = await arrive(lines, self.wanted, self._dialect, now=time.monotonic)
            self.tally.sessions += arrival.visit.line.has_session
            yield arrival.visit, lines
        finally:
            await _leave(lines)

    def _lines(self) -> HTTPLines:
        deadline = asyncio.get_running_loop().time() + self.job.timeout_s
        if self._dialect is not None and self._dialect.transport == "sse":
            # One stream carries everything, so it must live as long as the test.
            deadline += self.job.duration_s
        return HTTPLines(self.net, self.endpoint, deadline=deadline, phases={})


async def _within(lines: HTTPLines, work: Awaitable[None], timeout_s: float) -> None:
    """Do one piece of work with a time-out of its own on a line that lives longer."""
    lines.current.deadline = asyncio.get_running_loop().time() + timeout_s
    await work


async def _leave(lines: HTTPLines) -> None:
    """End the session and hang up; what the server says to that is no matter."""
    with suppress(NetError):
        await lines.current.leave(asyncio.get_running_loop().time() + FAREWELL_S)
    lines.current.close()


def _is_cut_off(failure: Failure) -> bool:
    """Whether the connection or the session is not worth another request."""
    return failure.reason is Reason.TIMEOUT or failure.layer in _BROKEN


def _overrun(timeout_s: float) -> Failure:
    return Failure(
        "mcp",
        "timeout",
        f"The server had no answer within {timeout_s:g} s.",
        reason=Reason.TIMEOUT,
        remedy="See whether the server is overloaded, or allow more time with --timeout.",
    )

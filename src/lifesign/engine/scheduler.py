"""One heap of (due, monitor) on an injected clock; nothing here does I/O but the wait for the next due time.

Slots lie on the wall clock's grid, but waiting is done on the monotonic clock: the scheduler keeps its own
steady wall time, and when the machine's wall clock jumps away from it, every monitor is planned anew
on the new grid: no burst, and nobody waits longer than its interval.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from lifesign.clock import Clock
from lifesign.core.schedule import next_slot_s
from lifesign.engine.gauges import Gauges
from lifesign.engine.watch import Watched

JUMP_S = 2.0
"""A wall clock further than this from the steady one has jumped (NTP slews 0.5 ms a second at most)."""
STALL_S = 2.0
"""Woken so much later than planned, the whole process stood still: stopped, suspended or starved."""
LEAST_ROOM = 1024
"""Plans that may be held before those that were replaced are looked for."""
LEAST_WAIT_S = 0.002
"""What falls due this close together is handed over together: a wake-up for each costs more than its lateness."""
LONGEST_WAIT_S = 1.0
"""The loop comes round at least this often, to see a jump and to show that it lives."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One run that is due: whom, for which slot (epoch seconds)."""

    watched: Watched
    slot_s: float

    @property
    def slot(self) -> datetime:
        """The slot as an instant."""
        return datetime.fromtimestamp(self.slot_s, UTC)


class Excuses(Protocol):
    """Whoever measures silence, and must not hold our own troubles against others."""

    def clock_jumped(self, seconds: float) -> None:
        """The wall clock was set forward (or back, when negative) by so much."""

    def stood_still(self, seconds: float) -> None:
        """The whole process did nothing for so long; nobody could reach it."""


class Scheduler:
    """Knows when each monitor is due next and hands over what is due now."""

    def __init__(self, clock: Clock, gauges: Gauges) -> None:
        self._clock = clock
        self._gauges = gauges
        self._heap: list[tuple[float, int, int, Watched]] = []
        self._room = LEAST_ROOM
        self._sequence = 0
        self._wake = asyncio.Event()
        self._back_by_s = clock.monotonic()
        self._anchor()

    def _anchor(self) -> None:
        self._wall_s = self._clock.now().timestamp()
        self._monotonic_s = self._clock.monotonic()

    def now_s(self) -> float:
        """The steady wall time, epoch seconds."""
        return self._wall_s + (self._clock.monotonic() - self._monotonic_s)

    def plan(self, watched: Watched, due_s: float) -> None:
        """Make this the monitor's only plan, whatever was planned before."""
        watched.ticket += 1
        self._sequence += 1
        if len(self._heap) >= self._room:
            self._drop_void_plans()
        heapq.heappush(self._heap, (due_s, self._sequence, watched.ticket, watched))
        if self._heap[0][3] is watched:
            self._wake.set()

    def _drop_void_plans(self) -> None:
        """Let go of plans that were replaced: a job that pings often is planned far ahead with every ping."""
        self._heap = [plan for plan in self._heap if plan[2] == plan[3].ticket]
        heapq.heapify(self._heap)
        self._room = max(LEAST_ROOM, 2 * len(self._heap))

    def plan_next(self, watched: Watched, after_s: float | None = None) -> None:
        """Plan the monitor's next slot of its own grid."""
        after = self.now_s() if after_s is None else after_s
        slot = next_slot_s(after, interval_s=watched.monitor.interval_s, phase=watched.phase)
        self.plan(watched, slot)

    def hasten(self, watched: Watched, within_s: float) -> None:
        """Run it within so many seconds unless its next slot comes before that."""
        soon = self.now_s() + within_s
        slot = next_slot_s(self.now_s(), interval_s=watched.monitor.interval_s, phase=watched.phase)
        self.plan(watched, min(soon, slot))

    @staticmethod
    def forget(watched: Watched) -> None:
        """Void every plan of a monitor."""
        watched.ticket += 1

    def take_due(self, now_s: float) -> list[Job]:
        """Remove and return what is due, planning each active monitor's next slot."""
        due: list[Job] = []
        while self._heap and self._heap[0][0] <= now_s:
            slot_s, _, ticket, watched = heapq.heappop(self._heap)
            if ticket != watched.ticket:
                continue
            due.append(Job(watched, slot_s))
            if not watched.kind.passive:
                self.plan_next(watched, max(slot_s, now_s))
        return due

    def follow_wall_clock(self, everybody: Iterable[Watched]) -> float:
        """Notice a jump of the wall clock; after one, plan everybody on the new grid. The seconds it jumped, or 0."""
        drift_s = self._clock.now().timestamp() - self.now_s()
        self._anchor()
        if abs(drift_s) < JUMP_S:
            return 0.0
        self._gauges.clock_jumps += 1
        _log.warning("clock_jumped", seconds=round(drift_s, 3))
        for watched in everybody:
            if not watched.kind.passive and not watched.monitor.paused:
                self.plan_next(watched)
        return drift_s

    def stood_still_s(self) -> float:
        """For how long this loop should have come round and did not, when that is a stall; else 0."""
        late_s = self._clock.monotonic() - self._back_by_s
        if late_s < STALL_S:
            return 0.0
        self._gauges.stalls += 1
        _log.warning("stood_still", seconds=round(late_s, 3))
        return late_s

    async def run(
        self,
        submit: Callable[[Job], None],
        everybody: Callable[[], Iterable[Watched]],
        excuses: Excuses,
    ) -> None:
        """Hand over due jobs for ever."""
        loop = asyncio.get_running_loop()
        self._back_by_s = self._clock.monotonic()
        while True:
            self._gauges.beats["scheduler"] = self._clock.monotonic()
            if jump_s := self.follow_wall_clock(everybody()):
                excuses.clock_jumped(jump_s)
            if stall_s := self.stood_still_s():
                excuses.stood_still(stall_s)
            for job in self.take_due(self.now_s()):
                submit(job)
            self._wake.clear()
            wait_s = (
                min(self._heap[0][0] - self.now_s(), LONGEST_WAIT_S)
                if self._heap
                else LONGEST_WAIT_S
            )
            wait_s = max(wait_s, LEAST_WAIT_S)
            self._back_by_s = self._clock.monotonic() + wait_s
            alarm = loop.call_later(wait_s, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                alarm.cancel()

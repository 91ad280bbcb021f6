"""The period that each monitor is in: a few numbers a monitor, because there may be fifty thousand of them.

A p95 needs only the slowest runs of a period, so no more than those are kept. Between two runs a lap lies packed in
one byte string of some 60 bytes.
"""

import math
from datetime import UTC, datetime
from struct import Struct
from typing import NamedTuple, Self
from zlib import crc32

from lifesign.core.latency import PERIOD_RUNS, PERIOD_S, Period, is_left_out
from lifesign.core.model import Monitor, Reason, Run, State

_HEAD = Struct("<ddddfIHB")
_FLOAT = Struct("f")
_MOST_RUNS = 0xFFFF
_SPARE = 2
"""So many more of the slowest runs are kept than the plan asks for, as rechecks add runs to a period."""

NO_MISS, LONE_TIMEOUT, WORSE = range(3)
"""What went before a run: nothing bad, one time-out and nothing else, anything worse."""


class Lap(NamedTuple):
    """One monitor's running period. Instants are seconds since 1970, 0 for never.

    `usual_ms` is the p95 of its baseline as last read at `read_s`, 0 while it has none. `restarted_s` is when the target
    was last seen to begin anew. `version` is a checksum of the version that it says it is. `slowest` has the slowest
    runs, the slowest of all first.
    """

    began_s: float = 0.0
    last_s: float = 0.0
    read_s: float = 0.0
    restarted_s: float = 0.0
    usual_ms: float = 0.0
    version: int = 0
    runs: int = 0
    miss: int = NO_MISS
    slowest: tuple[float, ...] = ()

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """The lap that was packed."""
        began_s, last_s, read_s, restarted_s, usual_ms, version, runs, miss = _HEAD.unpack_from(
            packed
        )
        slowest = tuple(memoryview(packed)[_HEAD.size :].cast("f"))
        return cls(began_s, last_s, read_s, restarted_s, usual_ms, version, runs, miss, slowest)

    def pack(self) -> bytes:
        """All of it in one byte string."""
        return _HEAD.pack(*self[:-1]) + b"".join(map(_FLOAT.pack, self.slowest))

    def after(self, run: Run, monitor: Monitor) -> "tuple[Lap, Period | None]":
        """The lap with one more run, and the period that was complete before it."""
        at_s = run.started_at.timestamp()
        if run.outcome.state not in (State.UP, State.DEGRADED):
            return self._replace(last_s=at_s, miss=self._missed(run)), None
        version = _checksum(run.observation.facts.get("server.version"))
        is_new = self.miss != NO_MISS or (
            version != self.version and 0 not in (version, self.version)
        )
        lap = self._replace(
            last_s=at_s,
            miss=NO_MISS,
            version=version or self.version,
            restarted_s=at_s if is_new else self.restarted_s,
        )
        gap_s = at_s - self.last_s
        lone = self.miss == LONE_TIMEOUT
        is_cold = is_left_out(gap_s=gap_s, interval_s=monitor.interval_s, after_lone_timeout=lone)
        if gap_s < 0 or (is_cold and not lone):
            # The clock was set back, or nobody looked for a while: what was begun says nothing of now.
            lap = lap._replace(began_s=0.0, runs=0, slowest=())
        if is_cold:
            return lap, None
        return _counted(lap, run.duration_ms, at_s, monitor.interval_s)

    def _missed(self, run: Run) -> int:
        failure = run.outcome.failure
        is_timeout = failure is not None and failure.reason is Reason.TIMEOUT
        return LONE_TIMEOUT if is_timeout and self.miss == NO_MISS else WORSE


def _counted(lap: Lap, ms: float, at_s: float, interval_s: float) -> tuple[Lap, Period | None]:
    """The lap with one more good run, and the period that ended before it."""
    period = None
    if lap.runs >= PERIOD_RUNS and at_s - lap.began_s >= PERIOD_S:
        period = _period(lap, at_s)
        lap = lap._replace(runs=0, slowest=())
    if lap.runs == 0:
        lap = lap._replace(began_s=at_s)
    slowest = sorted((*lap.slowest, ms), reverse=True)[: _kept(interval_s)]
    return lap._replace(runs=min(lap.runs + 1, _MOST_RUNS), slowest=tuple(slowest)), period


def _period(lap: Lap, ended_s: float) -> Period:
    """The p95 is the run of rank ⌊0.95·(n − 1)⌋, as in the histograms that baselines come from."""
    from_top = lap.runs - 1 - math.floor(0.95 * (lap.runs - 1))
    p95_ms = lap.slowest[min(from_top, len(lap.slowest) - 1)]
    return Period(_instant(lap.began_s), _instant(ended_s), p95_ms, lap.runs)


def _kept(interval_s: float) -> int:
    """How many of the slowest runs a period of this monitor can ask for."""
    planned = max(PERIOD_RUNS, math.ceil(PERIOD_S / interval_s))
    return planned - math.floor(0.95 * (planned - 1)) + _SPARE


def _checksum(version: object) -> int:
    return crc32(version.encode()) if isinstance(version, str) and version else 0


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

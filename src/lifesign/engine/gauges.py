"""The engine's own figures: how late it is, what it did, what it owes; written here, read by the faces."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

RECENT_RUNS = 10_000


@dataclass(slots=True)
class Gauges:
    """Counters and the newest latenesses (seconds between a run's due time and its start)."""

    started_at: datetime
    runs: int = 0
    running: int = 0
    waiting: int = 0
    skipped: int = 0
    commits: int = 0
    commit_failures: int = 0
    deliveries_sent: int = 0
    deliveries_failed: int = 0
    clock_jumps: int = 0
    stalls: int = 0
    latency_waiting: int = 0
    """Monitors whose past is still to be read before their latency can be judged."""
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong with Lifesign itself, by part; empty when nothing is."""
    beats: dict[str, float] = field(default_factory=dict)
    """The monotonic second at which each loop last came round."""
    _late_s: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_RUNS))

    def note_late(self, late_s: float) -> None:
        """Count one run and how late it began."""
        self.runs += 1
        self._late_s.append(late_s)

    def late_ms(self) -> tuple[float, float, float]:
        """Lateness of the newest runs in milliseconds: median, 99th percentile, largest."""
        if not self._late_s:
            return 0.0, 0.0, 0.0
        ordered = sorted(self._late_s)
        last = len(ordered) - 1
        return (
            ordered[last // 2] * 1000,
            ordered[min(last, round(last * 0.99))] * 1000,
            ordered[-1] * 1000,
        )

"""How late runs began, read from what the product stored of them, for a window after the rush of a start."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Lateness:
    """Milliseconds between the due time and the start of runs."""

    p50: float
    p99: float
    worst: float

    @property
    def words(self) -> str:
        """All three in one remark."""
        return f"late p50 {self.p50:.1f}, p99 {self.p99:.1f}, max {self.worst:.0f} ms"


def lateness(data: Path, *, since: float) -> Lateness:
    """Of all stored runs that were due after `since` (seconds of the epoch); zeros when there is none."""
    with closing(sqlite3.connect(data / "lifesign.db")) as database:
        rows = database.execute(
            "SELECT late_ms FROM runs WHERE slot_ms >= ? ORDER BY late_ms", (int(since * 1000),)
        )
        late = [float(row[0]) for row in rows]
    if not late:
        return Lateness(0, 0, 0)
    return Lateness(late[len(late) // 2], late[round(0.99 * (len(late) - 1))], late[-1])

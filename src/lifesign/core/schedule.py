"""When a monitor is due: a fixed grid per monitor, spread by a hash, so that restarts never bunch.

A slot is a point of the grid `k * interval + phase` since the epoch; `phase` is the same for a monitor
for ever, so that after a restart the old rhythm goes on and every monitor is due within its interval.
"""

import math
from hashlib import blake2b

MIN_INTERVAL_S = 1.0


def phase_s(monitor_id: str, interval_s: float) -> float:
    """The monitor's own offset within its interval: 0 ≤ phase < interval, evenly spread over monitors."""
    digest = blake2b(monitor_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * interval_s


def next_slot_s(after_s: float, *, interval_s: float, phase: float) -> float:
    """The first slot strictly after an instant, in seconds since the epoch."""
    return (math.floor((after_s - phase) / interval_s) + 1) * interval_s + phase


def backoff_s(attempt: int, schedule_s: tuple[float, ...], chance: float) -> float:
    """How long to wait after failed attempt number `attempt` (from 1): the schedule, ± 20 % by `chance` in 0…1."""
    base = schedule_s[min(attempt, len(schedule_s)) - 1]
    return base * (0.8 + 0.4 * chance)

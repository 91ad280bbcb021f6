"""Slots: a stable grid per monitor, spread evenly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.schedule import backoff_s, next_slot_s, phase_s

intervals = st.floats(1, 86_400)
instants = st.floats(0, 4e9)


@given(st.text(min_size=1), intervals, instants)
def test_the_next_slot_is_later_and_within_one_interval(
    monitor: str, interval: float, now: float
) -> None:
    phase = phase_s(monitor, interval)
    slot = next_slot_s(now, interval_s=interval, phase=phase)

    assert now - 1e-3 < slot <= now + interval + 1e-3


def test_a_restart_keeps_the_rhythm() -> None:
    phase = phase_s("m1", 60)

    first = next_slot_s(1_000_000, interval_s=60, phase=phase)
    assert next_slot_s(first, interval_s=60, phase=phase) == first + 60
    assert next_slot_s(first + 0.5, interval_s=60, phase=phase) == first + 60


def test_monitors_are_spread_evenly() -> None:
    quarters = [0, 0, 0, 0]
    for number in range(4000):
        quarters[int(phase_s(f"m{number}", 60) // 15)] += 1

    assert all(900 < count < 1100 for count in quarters)


def test_back_off_follows_the_schedule_with_jitter() -> None:
    schedule = (5.0, 60.0)

    assert backoff_s(1, schedule, 0.0) == 4.0
    assert pytest.approx(72.0) == backoff_s(2, schedule, 1.0)
    assert backoff_s(9, schedule, 0.5) == 60.0

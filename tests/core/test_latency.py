from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.drift.values import Release
from lifesign.core.latency import (
    FLOOR_MS,
    MIN_RUNS,
    OVER_BASELINE,
    PERIODS,
    REGRESSION,
    SLOW_BURN,
    Baseline,
    Pace,
    Period,
    Slice,
    Yardstick,
    baseline_of,
    is_left_out,
    judge_growth,
    judge_latency,
    limit_ms,
    past_until,
    release_in_force,
    with_phase,
)
from lifesign.core.model import Reason, Severity
from lifesign.core.rollup import RELATIVE_ERROR, Histogram

T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIVE = timedelta(minutes=5)
USUAL = Yardstick(Baseline(100.0, 1000, 7), 3.0)


def _periods(*p95s: float, start: datetime = T0) -> list[Period]:
    return [Period(start + n * FIVE, start + (n + 1) * FIVE, ms, 5) for n, ms in enumerate(p95s)]


def _judged(
    *p95s: float,
    pace: Pace | None = None,
    yardstick: Yardstick = USUAL,
    restarted_at: datetime | None = None,
    most: Severity = Severity.HIGH,
) -> list[Pace]:
    paces = [pace or Pace()]
    for period in _periods(*p95s):
        paces.append(
            judge_latency(paces[-1], period, yardstick, restarted_at=restarted_at, most=most)
        )
    return paces[1:]


def _codes(paces: list[Pace]) -> list[str]:
    return ["" if each.concern is None else each.concern.failure.code for each in paces]


def _days(*days: tuple[int, float], runs: int = 1440) -> list[Slice]:
    """Slices of whole days: how many days before T0 each begins, and what its runs took."""
    return [
        Slice(T0 - n * DAY, T0 - (n - 1) * DAY, Histogram.of([ms] * runs)) for n, ms in sorted(days)
    ]


def test_three_slow_periods_are_told_and_three_good_ones_end_it():
    paces = _judged(400, 400, 400, 400, 90, 90, 400, 90, 90, 90)

    told = OVER_BASELINE
    assert _codes(paces) == ["", "", told, told, told, told, told, told, told, ""]
    concern = paces[2].concern
    assert concern is not None
    assert concern.failure.reason is Reason.LATENCY_DEGRADED
    assert "400 ms" in concern.failure.message
    assert "100 ms" in concern.failure.message
    assert paces[-1].is_at_rest


def test_what_is_told_stays_as_it_was_told():
    paces = _judged(400, 400, 400, 500, 600)

    assert paces[2].concern is paces[4].concern


@pytest.mark.parametrize(
    ("most", "severity"),
    [(Severity.CRITICAL, Severity.MEDIUM), (Severity.LOW, Severity.LOW)],
)
def test_it_is_medium_and_never_above_the_monitor(most: Severity, severity: Severity):
    concern = _judged(400, 400, 400, most=most)[-1].concern

    assert concern is not None
    assert concern.severity is severity


def test_a_factor_alone_alarms_nobody():
    tiny = Yardstick(Baseline(2.0, 1000, 7), 3.0)

    assert _codes(_judged(7, 7, 7, 51, 51, 51, yardstick=tiny)) == [""] * 6
    assert _codes(_judged(53, 53, 53, yardstick=tiny))[-1] == OVER_BASELINE


def test_an_elevation_right_after_a_restart_is_told_after_twenty_minutes():
    paces = _judged(400, 400, 400, 400, 400, restarted_at=T0 + timedelta(minutes=1))

    assert _codes(paces) == ["", "", "", "", OVER_BASELINE]


def test_a_restart_long_before_or_after_changes_nothing():
    for minutes in (-11, 6):
        restarted_at = T0 + timedelta(minutes=minutes)
        assert _codes(_judged(400, 400, 400, restarted_at=restarted_at))[-1] == OVER_BASELINE


def test_a_release_is_a_regression_at_half_as_much_again():
    release = Release(id="r", monitor_id="m", starts_at=T0 - HOUR, ends_at=T0)
    after = Yardstick(Baseline(200.0, 1000, 7), 1.5, release)

    paces = _judged(290, 310, 310, 310, yardstick=after)

    assert _codes(paces) == ["", "", "", REGRESSION]
    assert paces[-1].concern is not None
    assert "release" in paces[-1].concern.title


def test_a_release_is_watched_for_a_day_and_longer_once_told():
    release = Release(id="r", monitor_id="m", starts_at=T0 - HOUR, ends_at=T0)

    assert release_in_force([release], T0 - timedelta(minutes=1)) is None
    assert release_in_force([release], T0 + DAY) is release
    assert release_in_force([release], T0 + 2 * DAY) is None
    assert release_in_force([release], T0 + 2 * DAY, is_told=True) is release


def test_the_past_ends_before_the_trouble():
    [period] = _periods(400)
    release = Release(id="r", monitor_id="m", starts_at=T0 - HOUR, ends_at=T0)

    assert past_until(Pace(), period, None) == T0
    assert past_until(Pace(since=T0 - HOUR), period, None) == T0 - HOUR
    assert past_until(Pace(since=T0 - 30 * DAY), period, None) == period.ended - 7 * DAY
    assert past_until(Pace(since=T0), period, release) == T0 - HOUR


@given(st.lists(st.sampled_from([90.0, 400.0]), max_size=60), st.booleans())
def test_nothing_is_told_before_or_ended_after_fewer_than_three(p95s: list[float], warm: bool):
    paces = [Pace(), *_judged(*p95s, restarted_at=T0 if warm else None)]

    for place, (before, after) in enumerate(pairwise(paces)):
        last = p95s[max(0, place - PERIODS + 1) : place + 1]
        if after.concern is not before.concern:
            assert last == [400.0 if after.concern else 90.0] * PERIODS
        if last == [90.0] * PERIODS:
            assert after.is_at_rest


@given(
    st.floats(1, 10_000),
    st.floats(1.1, 10),
    st.lists(st.floats(0, 100_000), min_size=1, max_size=9),
)
def test_only_what_is_above_the_limit_is_slow(usual: float, factor: float, p95s: list[float]):
    yardstick = Yardstick(Baseline(usual, 1000, 7), factor)

    for pace, p95 in zip(_judged(*p95s, yardstick=yardstick), p95s, strict=True):
        assert (pace.slow > 0) == (p95 > yardstick.limit_ms)
        assert yardstick.limit_ms >= usual + FLOOR_MS
        assert yardstick.limit_ms >= factor * usual


@given(st.lists(st.sampled_from([90.0, 400.0]), min_size=3, max_size=30))
def test_a_restart_of_ours_never_ends_what_is_told(p95s: list[float]):
    told = _judged(400, 400, 400)[-1].concern

    paces = _judged(*p95s, pace=Pace(since=T0, concern=told))

    assert paces[0].is_told
    assert paces[1].is_told


@pytest.mark.parametrize(
    ("gap_s", "interval_s", "lone", "expected"),
    [
        (60, 60, False, False),
        (299, 60, False, False),
        (300, 60, False, True),
        (float("inf"), 60, False, True),
        (3600, 3600, False, False),
        (5400, 3600, False, True),
        (60, 60, True, True),
    ],
)
def test_cold_starts_are_left_out(gap_s: float, interval_s: float, lone: bool, expected: bool):
    found = is_left_out(gap_s=gap_s, interval_s=interval_s, after_lone_timeout=lone)

    assert found is expected


def test_a_baseline_is_of_seven_days_until_thirty_are_known():
    fast, slow = 100.0, 900.0
    past = [(n, slow if n > 7 else fast) for n in range(1, 29)]

    week = baseline_of(_days(*past), until=T0)
    month = baseline_of(_days(*past, (29, slow), (30, slow)), until=T0)

    assert week == Baseline(pytest.approx(fast, rel=RELATIVE_ERROR), 7 * 1440, 7)
    assert month == Baseline(pytest.approx(slow, rel=RELATIVE_ERROR), 30 * 1440, 30)


def test_a_baseline_has_enough_runs_of_at_least_a_day():
    def hours(count: int, runs: int) -> list[Slice]:
        latency = Histogram.of([100.0] * runs)
        return [Slice(T0 - (n + 1) * HOUR, T0 - n * HOUR, latency) for n in range(count)]

    assert baseline_of(hours(24, 60), until=T0) is None
    assert baseline_of(hours(25, 60), until=T0) is not None
    assert baseline_of(hours(25, (MIN_RUNS - 1) // 25), until=T0) is None
    assert baseline_of([], until=T0) is None
    assert baseline_of(_days((1, 100.0)), until=T0) is None


def test_what_is_judged_is_no_part_of_its_baseline():
    past = _days(*[(n, 100.0) for n in range(1, 8)], (0, 5000.0))

    found = baseline_of(past, until=T0)

    assert found is not None
    assert found.p95_ms == pytest.approx(100, rel=RELATIVE_ERROR)


def test_growth_from_week_to_week_is_told_low_and_ends_below_its_own_limit():
    def past(now: float) -> list[Slice]:
        return _days(*[(n, now if n <= 7 else 200.0) for n in range(1, 36)])

    told = judge_growth(Pace(), past(310.0), until=T0)
    still = judge_growth(told, past(290.0), until=T0)
    ended = judge_growth(still, past(270.0), until=T0)

    assert _codes([told, still, ended]) == [SLOW_BURN, SLOW_BURN, ""]
    assert told.concern is not None
    assert told.concern.severity is Severity.LOW
    assert judge_growth(Pace(), past(290.0), until=T0).concern is None
    assert judge_growth(Pace(), past(310.0)[:20], until=T0).concern is None


def test_slow_periods_go_before_growth_and_good_ones_leave_it():
    past = _days(*[(n, 400.0 if n <= 7 else 200.0) for n in range(1, 36)])
    burning = judge_growth(Pace(), past, until=T0)

    assert _codes(_judged(90, 90, 90, 90, pace=burning)) == [SLOW_BURN] * 4
    slow = _judged(400, 400, 400, pace=burning)
    assert _codes(slow) == [SLOW_BURN, SLOW_BURN, OVER_BASELINE]
    assert judge_growth(slow[-1], past, until=T0) == slow[-1]


def test_the_limit_is_the_higher_of_factor_and_floor():
    assert limit_ms(10, 3) == 60
    assert limit_ms(100, 3) == 300


def test_the_phase_that_grew_most_is_named():
    told = _judged(400, 400, 400)[-1].concern
    assert told is not None

    named = with_phase(told, {"dns": 30, "tls": 310, "new": 900}, {"dns": 1, "tls": 20})

    assert named.failure.message.endswith("The phase tls grew most: 310 ms, usually 20 ms.")
    assert with_phase(told, {"dns": 1}, {"dns": 2}) is told
    assert with_phase(told, {}, {}) is told

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workshop import monitor
from lifesign.core.latency import Period
from lifesign.core.model import Failure, Observation, Outcome, Reason, Run, State
from lifesign.engine.laps import LONE_TIMEOUT, NO_MISS, WORSE, Lap

T0 = datetime(2026, 3, 1, tzinfo=UTC)
TIMEOUT = Failure("http", "timeout", "No answer within 10 s.", Reason.TIMEOUT)
REFUSED = Failure("tcp", "refused", "Nothing listens.", Reason.CONNECTION_REFUSED)


def _run(
    at_s: float, ms: float = 10.0, *, failure: Failure | None = None, version: str = ""
) -> Run:
    at = T0 + timedelta(seconds=at_s)
    state = State.UP if failure is None else State.DOWN
    facts = {"server.version": version} if version else {}
    seen = Observation(facts=facts, failure=failure)
    return Run("m1", at, seen, Outcome(state, failure), started_at=at, duration_ms=ms)


def _drive(*runs: Run, interval_s: float = 60.0) -> tuple[Lap, list[Period]]:
    """A lap after these runs, packed and unpacked between them as in the engine."""
    watched = monitor(interval_s=interval_s)
    lap, periods = Lap(), []
    for run in runs:
        lap, period = Lap.unpack(lap.pack()).after(run, watched)
        periods += [] if period is None else [period]
    return lap, periods


@pytest.mark.parametrize(
    ("interval_s", "runs", "length_s"), [(60, 5, 300), (10, 30, 300), (1, 300, 300), (600, 5, 3000)]
)
def test_a_period_is_five_minutes_or_five_runs_whichever_is_longer(
    interval_s: float, runs: int, length_s: float
):
    _, [period] = _drive(*[_run(n * interval_s) for n in range(runs + 2)], interval_s=interval_s)

    assert period.runs == runs
    assert (period.ended - period.began).total_seconds() == length_s
    assert period.began == T0 + timedelta(seconds=interval_s)


@pytest.mark.parametrize("interval_s", [1, 7, 30, 60, 3600])
def test_the_p95_is_exact_though_only_the_slowest_runs_are_kept(interval_s: float):
    chance = random.Random(5)
    count = max(5, math.ceil(300 / interval_s))
    values = [chance.lognormvariate(3, 1) for _ in range(count)]
    runs = [_run((n + 1) * interval_s, ms) for n, ms in enumerate([*values, 1.0])]

    lap, [period] = _drive(_run(0), *runs, interval_s=interval_s)

    assert period.p95_ms == pytest.approx(sorted(values)[math.floor(0.95 * (count - 1))], rel=1e-6)
    assert lap.runs == 1


def test_one_slow_run_makes_no_period_slow():
    _, [period] = _drive(*[_run(n * 60, 9000 if n == 3 else 10) for n in range(7)])

    assert period.p95_ms == 10


def test_a_run_after_five_minutes_without_any_is_left_out():
    first = [_run(n * 60) for n in range(4)]
    woken = [_run(180 + 300 + n * 60, 9000 if n == 0 else 10) for n in range(7)]

    _, [period] = _drive(*first, *woken)

    assert (period.p95_ms, period.runs) == (10, 5)
    assert period.began == T0 + timedelta(seconds=540)


def test_a_slow_success_after_a_lone_time_out_is_left_out():
    lap, _ = _drive(_run(0), _run(60), _run(120, failure=TIMEOUT), _run(180, 9000))

    assert lap.slowest == (10,)
    assert lap.restarted_s == (T0 + timedelta(seconds=180)).timestamp()


@pytest.mark.parametrize(
    ("failures", "miss"),
    [([], NO_MISS), ([TIMEOUT], LONE_TIMEOUT), ([TIMEOUT, TIMEOUT], WORSE), ([REFUSED], WORSE)],
)
def test_what_went_before_is_remembered(failures: list[Failure], miss: int):
    bad = [_run(60 * n, failure=failure) for n, failure in enumerate(failures)]

    assert _drive(*bad)[0].miss == miss


def test_a_slow_success_after_an_outage_counts():
    outage = [_run(60 * n, failure=TIMEOUT) for n in range(1, 4)]

    lap, _ = _drive(_run(0), *outage, _run(240, 9000))

    assert lap.slowest == (9000,)


def test_another_version_is_a_restart():
    same, _ = _drive(_run(0, version="1.0"), _run(60, version="1.0"), _run(120))
    other, _ = _drive(_run(0, version="1.0"), _run(60), _run(120, version="1.1"))

    assert same.restarted_s == 0
    assert other.restarted_s == (T0 + timedelta(seconds=120)).timestamp()


def test_a_clock_that_is_set_back_begins_the_period_anew():
    lap, periods = _drive(*[_run(n * 60) for n in range(4)], _run(-9000), _run(-8940))

    assert periods == []
    assert lap.runs == 2


@given(
    st.lists(st.tuples(st.floats(1, 400), st.floats(0, 1e6), st.booleans()), max_size=80),
    st.sampled_from([1.0, 60.0, 600.0]),
)
def test_whatever_comes_a_period_has_its_runs_and_its_length(
    steps: list[tuple[float, float, bool]], interval_s: float
):
    at_s, runs = 0.0, []
    for gap_s, ms, is_good in steps:
        at_s += gap_s
        runs.append(_run(at_s, ms, failure=None if is_good else REFUSED))

    lap, periods = _drive(*runs, interval_s=interval_s)

    assert Lap.unpack(lap.pack()).pack() == lap.pack()
    for period in periods:
        assert period.runs >= 5
        assert (period.ended - period.began).total_seconds() >= 300 - 1e-3

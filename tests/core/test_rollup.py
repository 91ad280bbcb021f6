import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.model import State, Transition
from lifesign.core.rollup import (
    RELATIVE_ERROR,
    SMALLEST,
    Histogram,
    Sample,
    Summary,
    combine,
    decode_all,
    encode_all,
    seconds_by_state,
    summarize,
    uptime_ratio,
)

T0 = datetime(2026, 3, 1, tzinfo=UTC)

durations = st.floats(min_value=0, max_value=1e8, allow_nan=False)
histograms = st.lists(durations, max_size=30).map(Histogram.of)
samples = st.builds(
    Sample,
    state=st.sampled_from([State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN]),
    duration_ms=durations,
    phases_ms=st.dictionaries(st.sampled_from(["dns", "tls"]), st.integers(0, 1000)),
)


@given(histograms, histograms, histograms)
def test_merging_is_associative_and_commutative(a: Histogram, b: Histogram, c: Histogram):
    assert a.merge(b).merge(c) == a.merge(b.merge(c)) == c.merge(b, a)
    assert a.merge(Histogram()) == a


@given(st.lists(durations, min_size=1), st.floats(0, 1))
def test_a_quantile_is_within_two_percent(values: list[float], q: float):
    true = sorted(values)[math.floor(q * (len(values) - 1))]

    found = Histogram.of(values).quantile(q)

    assert found is not None
    assert abs(found - true) <= max(RELATIVE_ERROR * true * (1 + 1e-9), SMALLEST)
    assert RELATIVE_ERROR <= 0.02


@given(st.lists(durations), st.lists(durations))
def test_merging_is_the_same_as_counting_all_at_once(a: list[float], b: list[float]):
    assert Histogram.of(a).merge(Histogram.of(b)) == Histogram.of(a + b)


@given(histograms)
def test_the_codec_gives_back_what_it_took(histogram: Histogram):
    assert Histogram.decode(histogram.encode()) == histogram


def test_an_hour_of_runs_takes_few_bytes():
    spread = Histogram.of(20 + n % 30 for n in range(3600))

    assert len(spread.encode()) < 100


@pytest.mark.parametrize("blob", [b"", b"\x02", b"\x01\x80", b"\x01\x05"])
def test_foreign_bytes_are_refused(blob: bytes):
    with pytest.raises(ValueError, match="histogram"):
        Histogram.decode(blob)


def test_nothing_has_no_quantile():
    assert Histogram().quantile(0.5) is None


@given(st.lists(samples), st.lists(samples))
def test_summaries_add_up(a: list[Sample], b: list[Sample]):
    parts, whole = combine([summarize(a), summarize(b)]), summarize(a + b)

    assert (parts.states, parts.latency) == (whole.states, whole.latency)
    assert parts.phases == whole.phases


def test_only_answers_count_for_latency():
    summary = summarize(
        [Sample(State.UP, 10, {"dns": 2}), Sample(State.DOWN, 10_000, {"dns": 9_000})]
    )

    assert summary.latency.count == 1
    assert summary.mean_phases_ms == {"dns": 2}
    assert summary.count == 2
    assert combine([]) == Summary()


@given(
    st.lists(st.tuples(st.integers(-50, 150), st.sampled_from(list(State))), max_size=20),
    st.sampled_from([None, *State]),
)
def test_every_second_of_a_window_is_counted_once(changes, state):
    """Checked against a walk over each second."""
    story = [
        Transition(monitor_id="m", at=T0 + timedelta(seconds=s), before=State.UP, after=after)
        for s, after in sorted(changes, key=lambda change: change[0])
    ]
    until = T0 + timedelta(seconds=100)

    found = seconds_by_state(story, since=T0, until=until, state=state)

    walked: dict[State | None, float] = {}
    for second in range(100):
        for change in story:
            if change.at == T0 + timedelta(seconds=second):
                state = change.after
        walked[state] = walked.get(state, 0) + 1
    assert {s: t for s, t in found.items() if t} == walked


def test_uptime_leaves_out_what_was_not_observed():
    seconds = {State.UP: 90.0, State.DOWN: 10.0, State.MAINTENANCE: 500.0, State.UNKNOWN: 7.0}

    assert uptime_ratio(seconds) == pytest.approx(0.9)
    assert uptime_ratio({State.PAUSED: 5.0, None: 5.0}) is None


@given(st.lists(samples), st.lists(samples))
def test_each_phase_keeps_its_own_histogram(a: list[Sample], b: list[Sample]):
    whole = summarize(a + b)

    assert combine([summarize(a), summarize(b)]).phase_latency == whole.phase_latency
    for name, histogram in whole.phase_latency.items():
        assert histogram.count == whole.phases[name][1]


@given(st.lists(histograms))
def test_several_histograms_are_read_back_from_one_text(found: list[Histogram]):
    assert decode_all(encode_all(found)) == found


@pytest.mark.parametrize(
    "blob", [b"", b"\x02", b"\x01\x80", b"\x01\x01\x10", b"\x01\x02\x00\x05", b"\x01\x05\x11"]
)
def test_foreign_bytes_are_no_histograms(blob: bytes):
    with pytest.raises(ValueError, match="histogram"):
        decode_all(blob)


@given(histograms, st.lists(st.floats(0, 1)).map(sorted))
def test_quantiles_of_one_pass_are_those_of_many(histogram: Histogram, qs: list[float]):
    assert histogram.quantiles(*qs) == tuple([histogram.quantile(q) for q in qs])


def test_an_hour_of_one_phase_takes_about_a_byte_a_bucket():
    spread = Histogram.of(20 + n % 30 for n in range(60))

    assert len(encode_all([spread])) <= len(spread.buckets) + 8

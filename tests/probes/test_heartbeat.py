"""Heartbeats: pings fold into a journal, and the journal and the hour say what is wrong."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.clock import FakeClock
from lifesign.core.batch import Ping
from lifesign.core.model import Reason
from lifesign.net import Net
from lifesign.probes.heartbeat import MAX_OPEN_RUNS, HeartbeatSettings, Journal, assess, watch
from lifesign.probes.registry import ProbeContext, load_kinds

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SETTINGS = HeartbeatSettings(period=HOUR, grace=10 * MINUTE)
LIMITED = HeartbeatSettings(period=HOUR, grace=10 * MINUTE, max_run=5 * MINUTE)
FRESH = Journal(created_at=START)


def ping(action="success", minutes=0.0, run_id="", exit_status=None):
    at = START + timedelta(minutes=minutes)
    return Ping(monitor_id="m", at=at, action=action, run_id=run_id, exit_status=exit_status)


def fold(*pings, journal=FRESH):
    for one in pings:
        journal = journal.after(one)
    return journal


def code_at(journal, minutes, settings=SETTINGS):
    failure = assess(settings, journal, START + timedelta(minutes=minutes))[0].failure
    return failure.code if failure else None


def test_never_pinged_is_counted_from_the_beginning():
    assert code_at(FRESH, 69.9) is None
    assert code_at(FRESH, 70) == "missed"


def test_the_next_instant_is_the_end_of_grace():
    observation, instant = assess(SETTINGS, fold(ping(minutes=5)), START + HOUR)

    assert instant == START + timedelta(minutes=75)
    assert observation.facts["due_at"] == "2026-01-01T01:05:00+00:00"
    assert observation.facts["overdue_s"] == 0


def test_within_grace_it_is_overdue_and_not_failed():
    observation, _ = assess(SETTINGS, fold(ping()), START + timedelta(minutes=65))

    assert observation.failure is None
    assert observation.facts["overdue_s"] == 300


def test_a_missed_ping_is_told_with_its_reason():
    failure = assess(SETTINGS, fold(ping()), START + 2 * HOUR)[0].failure

    assert failure is not None
    assert (failure.layer, failure.reason) == ("heartbeat", Reason.MISSED)
    assert "2026-01-01 01:00:00 UTC" in failure.message


@pytest.mark.parametrize(
    ("bad", "code"),
    [(ping("fail", 1), "reported_fail"), (ping("exit", 1, exit_status=3), "exit_nonzero")],
)
def test_a_reported_failure_stands_until_a_success(bad, code):
    journal = fold(ping(), bad)

    assert [code_at(journal, 1), code_at(journal, 500)] == [code, code]
    assert code_at(fold(ping("start", 2), ping("log", 3), journal=journal), 3) == code
    assert code_at(fold(ping(minutes=1), journal=journal), 1) is None
    assert code_at(fold(ping("exit", 2, exit_status=0), journal=journal), 2) is None


def test_exit_status_is_a_fact():
    assert (
        assess(SETTINGS, fold(ping("exit", 1, exit_status=3)), START)[0].facts["exit_status"] == 3
    )


def test_start_and_finish_are_paired_by_run_id():
    journal = fold(ping("start", 0, "a"), ping("start", 1, "b"), ping("success", 4, "a"))

    assert (journal.duration_s, dict(journal.open_runs)) == (240, {"b": START + MINUTE})
    assert fold(ping("success", 5, "zz"), journal=journal).duration_s is None
    assert fold(ping("exit", 3, "b", 0), journal=journal).open_runs == {}


def test_a_run_without_end_overran():
    journal = fold(ping("start", 10))

    observation, instant = assess(LIMITED, journal, START + 11 * MINUTE)

    assert observation.failure is None
    assert instant == START + 15 * MINUTE
    assert code_at(journal, 15, LIMITED) == "overran"
    assert code_at(journal, 15, SETTINGS) is None


def test_a_later_success_excuses_a_lost_run():
    journal = fold(ping("start", 0, "lost"), ping("success", 30, "other"))

    assert code_at(journal, 31, LIMITED) is None


def test_a_log_changes_nothing_but_the_count():
    journal = fold(ping(), ping("log", 30))

    assert code_at(journal, 70) == "missed"
    assert (journal.pings, journal.last_action) == (2, "log")


def test_our_own_absence_extends_deadlines_until_the_next_finish():
    journal = fold(ping()).extend(1800)

    assert [code_at(journal, 99), code_at(journal, 100)] == [None, "missed"]
    assert code_at(fold(ping(minutes=10), journal=journal), 80) == "missed"
    assert FRESH.extend(-5) == FRESH


def test_open_runs_are_bounded_and_the_oldest_is_forgotten():
    journal = fold(*(ping("start", number, f"r{number}") for number in range(MAX_OPEN_RUNS + 5)))

    assert len(journal.open_runs) == MAX_OPEN_RUNS
    assert "r4" not in journal.open_runs


pings = st.builds(
    ping,
    st.sampled_from(["success", "start", "fail", "log"]),
    st.integers(0, 600),
    st.sampled_from(["", "a", "b"]),
) | st.builds(ping, st.just("exit"), st.integers(0, 600), exit_status=st.integers(0, 255))


@given(st.lists(pings, max_size=20), st.integers(0, 2000))
def test_nothing_changes_before_the_next_instant(history, minutes):
    journal, now = fold(*history), START + timedelta(minutes=minutes)
    observation, instant = assess(LIMITED, journal, now)
    just_before = instant - timedelta(microseconds=1)

    assert instant > now
    assert assess(LIMITED, journal, just_before)[0].failure == observation.failure


@given(st.lists(pings, max_size=20, unique_by=lambda one: one.at), st.randoms())
def test_finishes_in_any_order_end_in_the_same_verdict(history, random):
    finishes = [one for one in history if one.action in {"success", "fail", "exit"}]
    shuffled = random.sample(finishes, len(finishes))

    assert assess(SETTINGS, fold(*shuffled), START) == assess(SETTINGS, fold(*finishes), START)


async def test_the_probe_reads_the_journal_of_the_engine():
    clock = FakeClock(START + 2 * HOUR)
    memory = {"journal": fold(ping())}

    observation = await watch(SETTINGS, ProbeContext(Net, clock, 0.0, memory=memory))

    assert observation.failure is not None
    assert observation.failure.code == "missed"


async def test_a_journal_that_is_not_there_is_our_own_fault():
    observation = await watch(SETTINGS, ProbeContext(Net, FakeClock(), 0.0))

    assert observation.failure is not None
    assert observation.failure.layer == "internal"


def test_the_kind_is_passive_and_confirms_at_once_and_hides_its_key():
    kind = load_kinds()["heartbeat"]
    settings = HeartbeatSettings(uuid=uuid4())

    assert kind.passive
    assert (kind.policy.confirmations, kind.policy.recoveries) == (1, 1)
    assert str(settings.uuid) not in kind.target(settings)


@pytest.mark.parametrize("bad", [{"period": 5}, {"grace": -1}, {"max_run": 0}, {"perido": 60}])
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        HeartbeatSettings.model_validate(bad)


@pytest.mark.parametrize("given", ["1h30m", "PT1H30M", 5400, 5400.0])
def test_durations_are_read_as_people_and_programs_write_them(given):
    settings = HeartbeatSettings.model_validate({"period": given})

    assert settings.period == timedelta(minutes=90)
    assert settings.model_dump(mode="json")["period"] == "1h30m"
    assert HeartbeatSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("bad", [True, "soon", "1x", "60", None, [1]])
def test_durations_that_cannot_be_read_are_refused(bad):
    with pytest.raises(ValueError, match="period"):
        HeartbeatSettings.model_validate({"period": bad})

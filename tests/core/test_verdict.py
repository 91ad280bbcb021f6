"""The judge: examples of each rule, and properties over any history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.alerting import follow
from lifesign.core.condition import compile_condition
from lifesign.core.messages import AlertEvent
from lifesign.core.model import (
    Failure,
    Finding,
    Level,
    Monitor,
    Observation,
    Outcome,
    Policy,
    Reason,
    State,
)
from lifesign.core.rollup import seconds_by_state, uptime_ratio
from lifesign.core.verdict import Verdict, agree, assess, fresh_state, judge

START = datetime(2026, 1, 1, tzinfo=UTC)
BROKEN = Failure("tcp", "refused", "Nothing listens there.")
OUTCOME = {
    "u": Outcome(State.UP),
    "g": Outcome(State.DEGRADED, Failure("condition", "not_met", "slow")),
    "d": Outcome(State.DOWN, BROKEN),
    "?": Outcome(State.UNKNOWN, Failure("internal", "probe_bug", "our fault")),
}
CALM = Policy(flap_changes=0)


def fold(letters: str, policy: Policy = CALM) -> list[Verdict]:
    memory, verdicts = fresh_state("m", "default", START), []
    for number, letter in enumerate(letters):
        verdict = judge(
            memory, {"local": OUTCOME[letter]}, policy=policy, at=START + timedelta(minutes=number)
        )
        verdicts.append(verdict)
        memory = verdict.memory
    return verdicts


def states(letters: str, policy: Policy = CALM) -> str:
    short = {State.UP: "u", State.DEGRADED: "g", State.DOWN: "d", State.UNKNOWN: "?"}
    return "".join(short[verdict.memory.state] for verdict in fold(letters, policy))


@pytest.mark.parametrize(
    ("seen", "judged"),
    [
        ("uuu", "uuu"),
        ("uddd", "uuud"),
        ("uddu", "uuuu"),
        ("udddud", "uuuddd"),
        ("udddu", "uuudd"),
        ("udddudu", "uuudddd"),
        ("udddduu", "uuudddu"),
        ("uggg", "uuug"),
        ("ugggd", "uuugg"),
        ("ugggddd", "uuugggd"),
        ("udgd", "uuug"),
        ("uddg", "uuug"),
        ("udddg", "uuudd"),
        ("udddgg", "uuuddg"),
        ("ud?dd", "uuuud"),
        ("u??u", "uuuu"),
        ("u?????", "uuu???"),
        ("u???u", "uuu?u"),
        ("u???ddd", "uuu???d"),
        ("u???d??dd", "uuu?????d"),
        ("u???gud", "uuu??uu"),
        ("uddd??u", "uuudddd"),
        ("uddd???u", "uuuddd?u"),
        ("uddd???ddd", "uuuddd???d"),
        ("udd???d", "uuuuu??"),
        ("uddd?d?d?d", "uuuddddddd"),
        ("ddd", "??d"),
        ("?u", "?u"),
    ],
)
def test_a_history_is_judged(seen: str, judged: str) -> None:
    assert judged == states(seen)


def test_a_first_failure_asks_for_another_look() -> None:
    verdicts = fold("uddd")

    assert [verdict.recheck for verdict in verdicts] == [False, True, True, False]


def test_one_confirmation_is_enough_when_asked_for() -> None:
    assert states("udu", Policy(confirmations=1, recoveries=1, flap_changes=0)) == "udu"


def test_the_reason_stays_until_the_recovery_is_believed() -> None:
    verdicts = fold("uddduu")

    assert verdicts[4].memory.failure == BROKEN
    assert verdicts[5].memory.failure is None


def test_a_steady_monitor_never_changes_its_row() -> None:
    verdicts = fold("u" * 40, Policy())

    assert verdicts[-1].memory is verdicts[5].memory


def test_flapping_begins_and_ends_once() -> None:
    verdicts = fold("u" + "du" * 6 + "u" * 25, Policy())

    assert sum(verdict.flap_started for verdict in verdicts) == 1
    assert sum(verdict.flap_ended for verdict in verdicts) == 1


def test_maintenance_is_shown_and_the_counting_goes_on() -> None:
    memory = fresh_state("m", "default", START)
    for _ in range(3):
        memory = judge(
            memory, {"local": OUTCOME["d"]}, policy=CALM, at=START, in_maintenance=True
        ).memory

    assert memory.state is State.MAINTENANCE
    after = judge(memory, {"local": OUTCOME["d"]}, policy=CALM, at=START)
    assert after.memory.state is State.DOWN


@pytest.mark.parametrize(
    ("votes", "quorum", "agreed"),
    [
        ({"a": "down", "b": "up", "c": "up"}, 2, State.DEGRADED),
        ({"a": "down", "b": "down", "c": "up"}, 2, State.DOWN),
        ({"a": "down"}, 2, State.DOWN),
        ({"a": "down", "b": "unknown"}, 2, State.DOWN),
        ({"a": "unknown", "b": "unknown"}, 1, State.UNKNOWN),
        ({}, 1, State.UNKNOWN),
        ({"a": "up", "b": "degraded"}, 1, State.DEGRADED),
    ],
)
def test_regions_agree(votes: dict[str, str], quorum: int, agreed: State) -> None:
    assert agreed == agree({name: State(vote) for name, vote in votes.items()}, quorum)


histories = st.text(alphabet="ugd?", max_size=60)
policies = st.builds(
    Policy,
    confirmations=st.integers(1, 5),
    recoveries=st.integers(1, 4),
    flap_changes=st.integers(0, 8),
)


@given(histories, policies)
def test_transitions_chain_without_a_gap(letters: str, policy: Policy) -> None:
    """Each transition begins where the one before ended, and none leads nowhere."""
    state = State.UNKNOWN
    for verdict in fold(letters, policy):
        if verdict.transition is not None:
            assert verdict.transition.before is state
            assert verdict.transition.after is not state
            state = verdict.transition.after
        assert verdict.memory.state is state


@given(histories, policies)
def test_down_needs_its_confirmations(letters: str, policy: Policy) -> None:
    """A monitor goes down only after so many outcomes in a row that were down."""
    for position, verdict in enumerate(fold(letters, policy)):
        if verdict.transition is not None and verdict.transition.after is State.DOWN:
            seen = letters[: position + 1].replace("?", "")
            assert len(seen) >= policy.confirmations
            assert set(seen[-policy.confirmations :]) == {"d"}


@given(histories, policies)
def test_enough_good_outcomes_always_recover(letters: str, policy: Policy) -> None:
    assert fold(letters + "u" * policy.recoveries, policy)[-1].memory.state is State.UP


@given(histories, policies)
def test_what_is_not_seen_leads_nowhere_but_to_unknown(letters: str, policy: Policy) -> None:
    """Neither up nor down nor degraded can come of it, and unknown only of `confirmations` in a row."""
    for position, verdict in enumerate(fold(letters, policy)):
        if letters[position] == "?" and verdict.transition is not None:
            assert verdict.transition.after is State.UNKNOWN
            assert letters[: position + 1].endswith("?" * policy.confirmations)


@given(histories, policies)
def test_unknown_is_led_to_by_nothing_else(letters: str, policy: Policy) -> None:
    for letter, verdict in zip(letters, fold(letters, policy), strict=True):
        if verdict.transition is not None and verdict.transition.after is State.UNKNOWN:
            assert letter == "?"


@given(histories, policies)
def test_what_cannot_be_seen_for_long_is_unknown_and_says_why(letters: str, policy: Policy) -> None:
    verdict = fold(letters + "?" * policy.confirmations, policy)[-1]

    assert State.UNKNOWN is verdict.memory.state
    assert OUTCOME["?"].failure == verdict.memory.failure
    assert not verdict.memory.suspect
    assert not verdict.recheck


@given(histories, policies)
def test_who_stays_blind_writes_nothing(letters: str, policy: Policy) -> None:
    verdicts = fold(letters + "?" * (policy.confirmations + 3), policy)

    assert verdicts[-1].memory is verdicts[-4].memory


@given(histories, histories, policies)
def test_what_follows_a_blind_time_is_judged_as_from_a_start(
    before: str, after: str, policy: Policy
) -> None:
    blind = before + "?" * policy.confirmations

    assert states(after, policy) == states(blind + after, policy)[len(blind) :]


@given(histories, policies)
def test_an_alert_is_raised_by_what_is_bad_and_resolved_by_what_is_good(
    letters: str, policy: Policy
) -> None:
    """An outage of ours does neither: the alert stays as it is, whatever the state says meanwhile."""
    watched, alert = Monitor(id="m", name="m", kind="tcp", settings={}), None
    for number, verdict in enumerate(fold(letters, policy)):
        change = follow(alert, monitor=watched, state=verdict.memory, at=START, new_id=f"a{number}")
        if change is not None:
            assert letters[number] != "?"
            is_over = change.event is AlertEvent.RESOLVED
            assert letters[number] == "u" or not is_over
            alert = None if is_over else change.alert


def test_after_a_blind_time_all_is_soon_steady_again() -> None:
    verdicts = fold("u" * 5 + "???" + "u" * 5, Policy())

    assert verdicts[-1].memory is verdicts[-3].memory
    assert verdicts[-1].memory.recent == ""


def test_regions_that_see_outvote_those_that_do_not() -> None:
    memory = fresh_state("m", "default", START)
    for _ in range(5):
        outcomes = {"a": OUTCOME["?"], "b": OUTCOME["u"]}
        memory = judge(memory, outcomes, policy=CALM, at=START).memory
    assert memory.state is State.UP
    for _ in range(3):
        outcomes = {"a": OUTCOME["?"], "b": OUTCOME["?"]}
        memory = judge(memory, outcomes, policy=CALM, at=START).memory

    assert memory.state is State.UNKNOWN


def test_the_time_when_nothing_could_be_seen_counts_for_neither() -> None:
    """Ten minutes up, ten unknown, ten down: half of what was seen was up."""
    verdicts = fold("u" * 10 + "?" * 10 + "d" * 10, Policy(confirmations=1, flap_changes=0))
    changes = [verdict.transition for verdict in verdicts if verdict.transition is not None]

    seconds = seconds_by_state(
        changes, since=START, until=START + timedelta(minutes=30), state=None
    )

    assert {state: length for state, length in seconds.items() if length} == {
        State.UP: 600.0,
        State.UNKNOWN: 600.0,
        State.DOWN: 600.0,
    }
    assert uptime_ratio(seconds) == 0.5


@given(histories, policies)
def test_judging_is_a_function(letters: str, policy: Policy) -> None:
    assert fold(letters, policy) == fold(letters, policy)


def test_a_failed_condition_is_down_and_says_expected_and_found() -> None:
    condition = compile_condition("status == 200")

    outcome = assess(Observation(facts={"status": 503}), [condition])

    assert outcome.state is State.DOWN
    assert outcome.failure is not None
    assert outcome.failure.message == "Expected status == 200, found 503."


def test_a_warning_degrades_and_a_failure_outranks_it() -> None:
    conditions = [compile_condition("warn: latency_ms < 5"), compile_condition("status == 200")]

    slow = assess(Observation(facts={"status": 200, "latency_ms": 9}), conditions)
    broken = assess(Observation(facts={"status": 500, "latency_ms": 9}), conditions)

    assert (slow.state, broken.state) == (State.DEGRADED, State.DOWN)


def test_our_own_fault_is_unknown() -> None:
    observation = Observation(failure=Failure("internal", "probe_bug", "ours"))

    assert State.UNKNOWN is assess(observation).state


def test_a_finding_of_level_warn_degrades() -> None:
    finding = Finding(Level.WARN, "tools_list", "duplicate_names", "Two tools share a name.")

    assert State.DEGRADED is assess(Observation(findings=(finding,))).state


@pytest.mark.parametrize(
    ("level", "state"), [(Level.WARN, State.DEGRADED), (Level.FAIL, State.DOWN)]
)
def test_a_finding_that_decides_the_state_keeps_its_reason_and_its_proof(
    level: Level, state: State
) -> None:
    failure = Failure(
        "health_url", "body_down", "`api` says DOWN.", Reason.HEALTH_CHECK_FAILED,
        remedy="Look at the service.", evidence='{"status": "DOWN"}',
    )  # fmt: skip

    outcome = assess(Observation(findings=(Finding.of(failure, level),)))

    assert (state, failure) == (outcome.state, outcome.failure)


def test_slower_than_the_limit_is_degraded() -> None:
    assert State.DEGRADED is assess(Observation(facts={"latency_ms": 900}), degraded_ms=800).state


def test_our_own_fault_does_not_replace_the_reason_of_a_monitor_that_is_down() -> None:
    memory = fold("ddd?")[-1].memory

    assert (memory.state, memory.failure) == (State.DOWN, BROKEN)

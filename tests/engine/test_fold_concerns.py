"""Concerns: matters beside a monitor's state, told once, followed and ended."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from engine.workshop import BROKEN, Stage, monitor
from lifesign.clock import SystemClock
from lifesign.core.alerting import Concern
from lifesign.core.drift.values import Drift
from lifesign.core.messages import AlertState
from lifesign.core.model import Failure, Observation, Outcome, Run, Severity, State, Surface
from lifesign.engine.fold import Fold
from lifesign.engine.watch import Compiler, Memory

AT = SystemClock().now()
WATCHED = monitor()
SLOW = Concern(
    "latency",
    Severity.LOW,
    "slower than usual",
    Failure("latency", "slow", "The p95 is 3 times its baseline."),
)


@pytest.fixture
def memory() -> Memory:
    return Memory(watched={WATCHED.id: Compiler(Stage().kinds()).ready(WATCHED)})


@pytest.fixture
def folds(memory: Memory) -> Iterator[Fold]:
    numbers = count(1)
    return (Fold(memory, lambda: f"alr_{next(numbers)}") for _ in count())


def test_a_concern_fires_once_and_says_nothing_while_it_stays(
    folds: Iterator[Fold], memory: Memory
) -> None:
    first = next(folds)
    first.concern(WATCHED, "latency", SLOW, at=AT)
    first.concern(WATCHED, "latency", SLOW, at=AT)
    first.apply()
    second = next(folds)
    second.concern(WATCHED, "latency", SLOW, at=AT)

    assert [event.type for event in first.batch().events] == ["alert.fired"]
    assert list(memory.alerts) == ["latency/m1"]
    assert second.batch().alerts == ()
    assert second.batch().events == ()


def test_a_concern_that_is_over_resolves_its_alert(folds: Iterator[Fold], memory: Memory) -> None:
    first, second = next(folds), next(folds)
    first.concern(WATCHED, "latency", SLOW, at=AT)
    first.apply()
    second.concern(WATCHED, "latency", None, at=AT)
    second.apply()

    assert [alert.state for alert in second.batch().alerts] == [AlertState.RESOLVED]
    assert memory.alerts == {}


def test_nothing_to_tell_is_nothing(folds: Iterator[Fold]) -> None:
    fold = next(folds)
    fold.concern(WATCHED, "latency", None, at=AT)

    assert fold.batch().alerts == ()


def test_a_concern_that_becomes_worse_is_told_again(folds: Iterator[Fold]) -> None:
    fold = next(folds)
    fold.concern(WATCHED, "latency", SLOW, at=AT)
    fold.concern(WATCHED, "latency", replace(SLOW, severity=Severity.HIGH), at=AT)

    assert [event.type for event in fold.batch().events] == ["alert.fired", "alert.escalated"]
    assert len(fold.batch().alerts) == 1


def test_a_pause_leaves_concerns_alone(folds: Iterator[Fold], memory: Memory) -> None:
    first, second = next(folds), next(folds)
    first.concern(WATCHED, "latency", SLOW, at=AT)
    first.apply()
    second.impose(WATCHED, State.PAUSED, at=AT)
    second.apply()

    assert list(memory.alerts) == ["latency/m1"]


def seen(**facts: object) -> Run:
    return Run(
        monitor_id="m1",
        slot=AT,
        observation=Observation(facts=facts, failure=BROKEN if facts.pop("broken", None) else None),
        outcome=Outcome(State.UP),
        started_at=AT,
        duration_ms=1.0,
    )


def test_a_credential_that_runs_out_is_told_until_there_is_another(
    folds: Iterator[Fold], memory: Memory
) -> None:
    soon = (AT + timedelta(hours=20)).isoformat()
    told, blind, renewed = next(folds), next(folds), next(folds)
    told.add_runs([seen(**{"credential.expires_at": soon})])
    told.apply()
    blind.add_runs([seen(broken=True)])
    blind.apply()
    open_still = dict(memory.alerts)
    renewed.add_runs([seen()])
    renewed.apply()

    assert [alert.key for alert in told.batch().alerts] == ["credential/m1"]
    assert told.batch().alerts[0].severity is Severity.MEDIUM
    assert "credential/m1" in open_still
    assert "credential/m1" not in memory.alerts


def run_of(failure: Failure | None = None, surface: Surface | None = None, **facts: object) -> Run:
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return replace(seen(), observation=Observation(facts=named, failure=failure, surface=surface))


NO_TOKEN = Failure("credential", "refresh_failed", "Getting a token: refused with HTTP 401.")
PUBLISHED = Surface("v1:a")


@pytest.fixture
def was_open(memory: Memory) -> None:
    """Anybody could see the surface before."""
    drift = Drift(
        monitor_id="m1", baseline="v1:a", baseline_since=AT, current="v1:a", current_since=AT
    )
    memory.surfaces.rows["m1"] = {("local", ""): drift}


def told_by(folds: Iterator[Fold], *runs: Run) -> list[list[tuple[str, AlertState]]]:
    told = []
    for run in runs:
        fold = next(folds)
        fold.add_runs([run])
        told.append([(alert.key, alert.state) for alert in fold.batch().alerts])
        fold.apply()
    return told


@pytest.mark.usefixtures("was_open")
def test_an_open_server_that_asks_to_sign_in_is_told_once_confirmed_and_until_it_is_open_again(
    folds: Iterator[Fold], memory: Memory
) -> None:
    walled, opened = run_of(auth__state="required"), run_of(surface=PUBLISHED, auth__state="open")

    told = told_by(folds, walled, walled, walled, run_of(BROKEN), opened)

    key = "access/m1"
    assert [[each for each in batch if each[0] == key] for batch in told] == [
        [], [(key, AlertState.FIRING)], [], [], [(key, AlertState.RESOLVED)],
    ]  # fmt: skip
    assert memory.access == {}


@pytest.mark.usefixtures("was_open")
def test_one_refusal_of_strangers_asks_for_another_look_soon_and_is_forgotten(
    folds: Iterator[Fold],
) -> None:
    walled, opened = run_of(auth__state="required"), run_of(surface=PUBLISHED, auth__state="open")
    first = next(folds)
    first.add_runs([walled])
    first.apply()

    assert first.rechecks == {"m1"}
    assert told_by(folds, opened, walled) == [[], []]


@pytest.mark.usefixtures("was_open")
def test_sign_in_that_is_meant_is_not_told(folds: Iterator[Fold], memory: Memory) -> None:
    meant = replace(WATCHED, conditions=('auth.state == "required"',))
    memory.watched["m1"] = Compiler(Stage().kinds()).ready(meant)
    walled = run_of(auth__state="required")

    assert told_by(folds, walled, walled, walled) == [[], [], []]


def test_a_server_that_always_asked_to_sign_in_has_nothing_to_tell(folds: Iterator[Fold]) -> None:
    walled = run_of(auth__state="required")

    assert told_by(folds, walled, walled, walled) == [[], [], []]


def test_a_credential_that_cannot_be_had_is_told_once_confirmed(folds: Iterator[Fold]) -> None:
    blind = run_of(NO_TOKEN)

    assert told_by(folds, blind, blind, blind, run_of()) == [
        [], [("credential/m1", AlertState.FIRING)], [], [("credential/m1", AlertState.RESOLVED)],
    ]  # fmt: skip


def test_one_refresh_that_fails_is_not_told(folds: Iterator[Fold]) -> None:
    soon = (AT + timedelta(minutes=1)).isoformat()
    late = run_of(credential__expires_at=soon, credential__source="oauth")

    assert told_by(folds, late, run_of(), late, late) == [
        [], [], [], [("credential/m1", AlertState.FIRING)],
    ]  # fmt: skip


def judged(state: State, failure: Failure | None = None) -> Run:
    return replace(
        seen(), observation=Observation(failure=failure), outcome=Outcome(state, failure)
    )


def test_a_blind_time_is_a_state_and_leaves_the_open_alert_as_it_is(
    folds: Iterator[Fold], memory: Memory
) -> None:
    """Down, then no token for long: unknown. The alert waits for the first look that sees something."""
    down, blind, again = next(folds), next(folds), next(folds)
    down.add_runs([judged(State.DOWN, BROKEN)] * 3)
    down.apply()
    blind.add_runs([judged(State.UNKNOWN, NO_TOKEN)] * 9)
    blind.apply()
    waiting = dict(memory.alerts)
    again.add_runs([judged(State.UP)])
    again.apply()

    assert [(each.before, each.after, each.failure) for each in blind.batch().transitions] == [
        (State.DOWN, State.UNKNOWN, NO_TOKEN)
    ]
    assert [alert.key for alert in blind.batch().alerts] == ["credential/m1"]
    assert waiting["monitor/m1"].state is AlertState.FIRING
    assert waiting["monitor/m1"].failure == BROKEN
    assert memory.states["m1"].state is State.UP
    assert "monitor/m1" not in memory.alerts


def test_who_stays_blind_has_no_row_written(folds: Iterator[Fold]) -> None:
    blind, still = next(folds), next(folds)
    blind.add_runs([judged(State.UNKNOWN, NO_TOKEN)] * 5)
    blind.apply()
    still.add_runs([judged(State.UNKNOWN, NO_TOKEN)] * 5)

    assert (still.batch().states, still.batch().events) == ((), ())

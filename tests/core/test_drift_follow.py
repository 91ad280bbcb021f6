"""Looks at a surface, and what is remembered, confirmed, accepted and told of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.drift.follow import Look, accept, accepted_by, begin, concern_of, look
from lifesign.core.drift.values import Change, Drift, Impact, Release
from lifesign.core.model import Reason, Severity, Surface

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REMOVED = Change("tool_removed", Impact.BREAKING, "tool a", "", "{}", "", "Tool a was removed.")
FLIPPED = Change("read_only_hint_flipped", Impact.HINT, "tool a", "", "", "", "A hint flipped.")
POISON = Change("description_suspicious", Impact.TEXT, "tool a", "", "", "", "Odd text.")
REWORDED = Change("description_changed", Impact.TEXT, "tool a", "", "", "", "New text.")
ADDED = Change("tool_added", Impact.ADDITIVE, "tool b", "", "", "{}", "Tool b was added.")

digests = st.lists(st.sampled_from("ABCD"), max_size=60)


def start(digest: str = "A") -> Drift:
    return begin(Surface(digest), monitor_id="m1", tenant="t1", region="eu", at=NOW)


def walk(seen: str | list[str], drift: Drift | None = None) -> list[Look]:
    """Every look at the digests in turn, a minute apart."""
    drift, looks = drift or start(), []
    for minute, digest in enumerate(seen, 1):
        looks.append(look(drift, digest, at=NOW + timedelta(minutes=minute)))
        drift = looks[-1].drift
    return looks


def test_the_first_look_is_the_baseline() -> None:
    drift = begin(Surface("A", audience="key-1"), monitor_id="m1", tenant="t1", region="eu", at=NOW)

    assert (
        drift.baseline, drift.current, drift.audience, drift.baseline_since,
    ) == ("A", "A", "key-1", NOW)  # fmt: skip
    assert not drift.is_drifted


def test_a_steady_server_costs_no_write() -> None:
    first = start()

    assert all(each.drift is first for each in walk("A" * 30, first))


def test_a_new_digest_waits_for_a_second_look() -> None:
    first, second = walk("BB")

    assert (first.confirmed, first.recheck, first.drift.candidate) == (None, True, "B")
    assert (second.confirmed, second.recheck, second.drift.current) == (("A", "B"), False, "B")
    assert second.drift.is_drifted
    assert second.drift.current_since == NOW + timedelta(minutes=2)


def test_one_odd_look_is_forgotten() -> None:
    looks = walk("BA")

    assert [each.confirmed for each in looks] == [None, None]
    assert looks[-1].drift.candidate == ""
    assert not looks[-1].drift.unstable


def test_going_back_to_the_baseline_ends_the_drift() -> None:
    looks = walk("BBAA")

    assert looks[-1].confirmed == ("B", "A")
    assert not looks[-1].drift.is_drifted


def test_ten_equal_looks_close_the_window_and_writing_ends() -> None:
    looks = walk("B" * 12)

    assert looks[9].drift.recent == ()
    assert looks[10].drift is looks[9].drift
    assert looks[11].drift is looks[9].drift


@pytest.mark.parametrize("seen", ["BAB", "BCD", "BBAAB", "BBAAC"])
def test_a_swinging_list_is_unstable(seen: str) -> None:
    looks = walk(seen)

    assert [*[False] * (len(looks) - 1), True] == [each.became_unstable for each in looks]
    assert looks[-1].drift.unstable


@pytest.mark.parametrize("seen", ["BA", "BBAA", "BBCC", "BBB"])
def test_a_deploy_or_a_rollback_is_not_unstable(seen: str) -> None:
    assert not any(each.became_unstable for each in walk(seen))


def test_what_an_unstable_list_settles_on_is_confirmed_after_ten_equal_looks() -> None:
    looks = walk("BA" + "B" * 10)

    assert [each.confirmed for each in looks[:-1]] == [None] * 11
    assert (looks[-1].confirmed, looks[-1].became_stable) == (("A", "B"), True)
    assert not looks[-1].drift.unstable


def test_an_unstable_list_that_settles_where_it_was_confirms_nothing() -> None:
    looks = walk("BAB" + "A" * 10)

    assert (looks[-1].confirmed, looks[-1].became_stable) == (None, True)
    assert looks[-1].drift == start()


@given(digests)
def test_nothing_is_confirmed_without_two_equal_looks(seen: list[str]) -> None:
    previous = "A"
    for digest, each in zip(seen, walk(seen), strict=True):
        if each.confirmed is not None:
            assert digest == previous == each.confirmed[1] == each.drift.current
        previous = digest


@given(digests)
def test_looking_is_deterministic_and_never_moves_the_baseline(seen: list[str]) -> None:
    looks = walk(seen)

    assert looks == walk(seen)
    assert all(each.drift.baseline == "A" for each in looks)
    assert all(len(each.drift.recent) <= 10 for each in looks)


@given(digests)
def test_confirmations_form_a_chain(seen: list[str]) -> None:
    confirmed = [each.confirmed for each in walk(seen) if each.confirmed is not None]

    assert all(before[1] == after[0] for before, after in pairwise(confirmed))
    assert all(before != after for before, after in confirmed)


@given(digests, st.sampled_from("ABCD"))
def test_any_history_comes_to_rest(seen: list[str], final: str) -> None:
    looks = walk([*seen, *final * 12])

    assert looks[-1].drift is looks[-2].drift
    assert (final, (), False, "") == (
        looks[-1].drift.current, looks[-1].drift.recent, looks[-1].drift.unstable,
        looks[-1].drift.candidate,
    )  # fmt: skip


def drifted(at: datetime = NOW) -> Drift:
    return replace(start(), current="B", current_since=at)


def release(**given: object) -> Release:
    values: dict[str, object] = {
        "id": "r1", "monitor_id": "m1", "tenant": "t1",
        "starts_at": NOW - timedelta(minutes=5), "ends_at": NOW + timedelta(minutes=5),
    }  # fmt: skip
    return Release(**(values | given))  # type: ignore[arg-type]


def test_accepting_moves_the_baseline() -> None:
    after = accept(drifted(), "B", at=NOW + timedelta(hours=1), pinned=True)

    assert ("B", True, NOW + timedelta(hours=1)) == (
        after.baseline, after.pinned, after.baseline_since,
    )  # fmt: skip
    assert not after.is_drifted


def test_accepting_the_baseline_again_keeps_its_age() -> None:
    drift = start()

    assert accept(drift, "A", at=NOW + timedelta(hours=1), pinned=False) is drift
    assert accept(drift, "A", at=NOW + timedelta(hours=1), pinned=True).baseline_since == NOW


@pytest.mark.parametrize(
    ("after_s", "pinned", "expected"),
    [(3600, False, "auto"), (3601, False, ""), (None, False, ""), (3600, True, "")],
)
def test_time_accepts_what_is_not_pinned(
    after_s: float | None, pinned: bool, expected: str
) -> None:
    drift = replace(drifted(), pinned=pinned)
    later = NOW + timedelta(hours=1)

    assert expected == accepted_by(drift, at=later, accept_after_s=after_s, releases=())


def test_an_announced_release_accepts_even_a_pinned_baseline() -> None:
    drift = replace(drifted(), pinned=True)

    assert (
        accepted_by(drift, at=NOW, accept_after_s=None, releases=[release(note="2.0")])
        == "release 2.0"
    )


@pytest.mark.parametrize(
    ("given", "since", "at"),
    [
        ({"monitor_id": "m2"}, 0, 0),
        ({"tenant": "t2"}, 0, 0),
        ({"digest": "C"}, 0, 0),
        ({}, -6, 0),
        ({}, 16, 16),
        ({"digest": "B"}, 16, 16),
    ],
)
def test_a_release_of_something_else_or_of_another_time_accepts_nothing(
    given: dict[str, object], since: int, at: int
) -> None:
    drift = drifted(NOW + timedelta(minutes=since))
    when = NOW + timedelta(minutes=at)

    assert accepted_by(drift, at=when, accept_after_s=None, releases=[release(**given)]) == ""


def test_a_change_at_the_end_of_a_release_is_confirmed_a_little_after_it() -> None:
    late = drifted(NOW + timedelta(minutes=6))

    found = accepted_by(late, at=late.current_since, accept_after_s=None, releases=[release()])
    assert found == "release r1"


def test_a_release_that_names_the_digest_accepts_what_came_too_early() -> None:
    drift = drifted(NOW - timedelta(hours=2))

    assert (
        accepted_by(drift, at=NOW, accept_after_s=None, releases=[release(digest="B")])
        == "release r1"
    )


def test_neither_an_unstable_nor_an_undrifted_surface_is_accepted() -> None:
    unstable = replace(drifted(), unstable=True)

    for drift in (unstable, start()):
        assert accepted_by(drift, at=NOW, accept_after_s=0, releases=[release()]) == ""


@pytest.mark.parametrize(
    ("changes", "severity", "expected"),
    [
        ([REMOVED, ADDED], Severity.CRITICAL, (Severity.HIGH, "tool_removed")),
        ([REMOVED], Severity.LOW, (Severity.LOW, "tool_removed")),
        ([FLIPPED, POISON], Severity.HIGH, (Severity.MEDIUM, "read_only_hint_flipped")),
        ([REWORDED, POISON], Severity.HIGH, (Severity.MEDIUM, "description_suspicious")),
        ([REWORDED, ADDED], Severity.HIGH, None),
        ([ADDED], Severity.HIGH, None),
    ],
)
def test_who_is_told_of_drift(
    changes: list[Change], severity: Severity, expected: tuple[Severity, str] | None
) -> None:
    concern = concern_of(drifted(), changes, severity=severity)

    assert expected == (concern and (concern.severity, concern.failure.code))
    if concern is not None:
        assert (
            concern.topic, concern.failure.layer, concern.failure.reason,
        ) == ("drift", "drift", Reason.SCHEMA_DRIFT)  # fmt: skip


def test_a_breaking_change_does_not_hide_a_text_that_looks_like_tampering() -> None:
    concern = concern_of(drifted(), [REMOVED, REWORDED, POISON, ADDED], severity=Severity.HIGH)

    assert concern is not None
    assert concern.failure.message == (
        "The published surface differs from the accepted one. Tool a was removed. Odd text. Other changes: 2."
    )


def test_no_drift_is_no_concern() -> None:
    assert concern_of(start(), [REMOVED], severity=Severity.HIGH) is None


def test_an_unstable_list_is_a_mild_concern() -> None:
    drift = walk("BAB")[-1].drift

    concern = concern_of(drift, (), severity=Severity.HIGH)

    assert concern is not None
    assert (concern.severity, concern.failure.code) == (Severity.LOW, "unstable_list")
    assert "2 versions" in concern.failure.message

"""The judge: from what one run saw to what a monitor is. Pure; the same answer to the same question.

1. `assess` holds the conditions against one observation: up, degraded, down or unknown, with the reason.
2. `judge` folds the outcomes of one slot over all regions into the monitor's state:
   a. the regions' newest outcomes are put to the quorum: down needs `quorum` regions that are down;
   b. a bad slot counts towards `confirmations`, a good one towards `recoveries`;
   c. the state changes only when its count is full; until then it is *suspect* and is looked at again soon;
   d. degraded is confirmed and recovered in the same way, counting bad slots of both sorts; down is believed
      only after `confirmations` slots that were down themselves, however degraded it was before;
   e. unknown (our own fault, or nothing seen) neither confirms nor recovers anything; after `confirmations` such slots
      in a row it is believed itself, what was counted is forgotten, and what follows is judged as from a start;
   f. many changes within the flap window set `flapping`;
   g. under maintenance the state reads `maintenance`; what was counted goes on being counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from lifesign.core.condition import Condition
from lifesign.core.model import (
    Check,
    Failure,
    Level,
    MonitorState,
    Observation,
    Outcome,
    Policy,
    Reason,
    State,
    Transition,
)  # fmt: skip

_LETTER = {State.UP: "u", State.DEGRADED: "g", State.DOWN: "d", State.UNKNOWN: "?"}
_BADNESS = {State.UP: 0, State.UNKNOWN: 1, State.DEGRADED: 2, State.DOWN: 3}
_OVERLAYS = frozenset({State.MAINTENANCE, State.PAUSED})


def assess(
    observation: Observation,
    conditions: Iterable[Condition] = (),
    *,
    degraded_ms: float | None = None,
    now: datetime | None = None,
) -> Outcome:
    """Judge one observation on its own; every condition is held, so that all the found values show.

    `now` is when it was made: ages are counted from there, and without it no condition on an age holds.
    A failure of the probe is down, unless it is our own: then nothing is known. Conditions are
    not held when the probe failed: their facts are missing for a reason that is already told.
    """
    failure = observation.failure
    if failure is not None:
        return Outcome(State.UNKNOWN if failure.is_ours else State.DOWN, failure)
    checks = tuple([condition.hold(observation, now) for condition in conditions])
    broken = [check for check in checks if not check.holds]
    if broken:
        for level, state in ((Level.FAIL, State.DOWN), (Level.WARN, State.DEGRADED)):
            for check in broken:
                if check.level is level:
                    return Outcome(state, _broken(check), checks)
    return _soft_outcome(observation, checks, degraded_ms)


def _soft_outcome(
    observation: Observation, checks: tuple[Check, ...], degraded_ms: float | None
) -> Outcome:
    for finding in observation.findings:
        if finding.level is Level.FAIL or finding.level is Level.WARN:
            state = State.DOWN if finding.level is Level.FAIL else State.DEGRADED
            return Outcome(state, finding.as_failure(), checks)
    latency = observation.facts.get("latency_ms")
    if degraded_ms is not None and isinstance(latency, int | float) and latency > degraded_ms:
        slow = Check(
            f"latency_ms <= {degraded_ms:g}", holds=False, found=f"{latency:.0f}", level=Level.WARN
        )
        return Outcome(State.DEGRADED, _broken(slow), (*checks, slow))
    return Outcome(State.UP, None, checks)


def _broken(check: Check) -> Failure:
    return Failure(
        "condition", "not_met", f"Expected {check.text}, found {check.found}.",
        reason=Reason.CONDITION_FAILED,
        remedy="Look at the last result; if the condition asks too much, change it.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one slot: the new memory, the change if there is one, and what to do next."""

    memory: MonitorState
    transition: Transition | None
    recheck: bool
    """Whether the monitor should be looked at again before its next slot."""
    agreed: State
    """What the regions agreed on for this slot, before confirmation."""
    flap_started: bool = False
    flap_ended: bool = False


def fresh_state(monitor_id: str, tenant: str, now: datetime) -> MonitorState:
    """The memory of a monitor that nothing is known of yet."""
    return MonitorState(monitor_id=monitor_id, tenant=tenant, since=now)


def agree(outcomes: Mapping[str, State], quorum: int) -> State:
    """What the regions say together.

    Regions that see nothing (unknown) have no vote. Down needs `quorum` votes, capped at the number of
    voters; fewer votes for down than that, or any degraded, is degraded.
    """
    votes = [state for state in outcomes.values() if state is not State.UNKNOWN]
    if not votes:
        return State.UNKNOWN
    down = sum(state is State.DOWN for state in votes)
    if down >= min(max(quorum, 1), len(votes)):
        return State.DOWN
    return State.DEGRADED if down or State.DEGRADED in votes else State.UP


def judge(
    memory: MonitorState,
    outcomes: Mapping[str, Outcome],
    *,
    policy: Policy,
    at: datetime,
    in_maintenance: bool = False,
) -> Verdict:
    """Fold one slot's outcomes, by region, into the memory. Regions that are silent keep their last vote."""
    if not in_maintenance and _is_steady(memory, outcomes, policy):
        return Verdict(memory, None, recheck=False, agreed=State.UP)
    regions = {
        **memory.regions,
        **{name: outcome.state.value for name, outcome in outcomes.items()},
    }
    agreed = agree({name: State(value) for name, value in regions.items()}, policy.quorum)
    believed = _believed(memory)
    recent = _remember(memory.recent, agreed, policy)
    bad, good = _count(memory, agreed, recent=recent, policy=policy)
    state = _decide(believed, agreed, recent=recent, bad=bad, good=good, policy=policy)
    flapping = _is_flapping(recent, policy, was=memory.flapping)
    failure = _failure(memory, outcomes, state=state, agreed=agreed)
    shown = State.MAINTENANCE if in_maintenance else state
    after = replace(
        memory,
        state=shown,
        since=at if shown is not memory.state else memory.since,
        bad=bad,
        good=good,
        recent=recent if _is_eventful(recent) else "",
        flapping=flapping,
        suspect=agreed in (State.DOWN, State.DEGRADED)
        and state is not agreed
        and state is not State.DOWN,
        failure=failure,
        regions=regions,
    )
    after = memory if after == memory else after
    changed = shown is not memory.state
    return Verdict(
        after,
        Transition(
            monitor_id=memory.monitor_id, tenant=memory.tenant, at=at, before=memory.state, after=shown,
            failure=failure,
        ) if changed else None,
        recheck=after.suspect,
        agreed=agreed,
        flap_started=flapping and not memory.flapping,
        flap_ended=memory.flapping and not flapping,
    )  # fmt: skip


def _is_steady(memory: MonitorState, outcomes: Mapping[str, Outcome], policy: Policy) -> bool:
    """Whether all was well, all is well, and every count is full: by far the most common slot."""
    return (
        memory.state is State.UP
        and memory.good == max(policy.recoveries, 1)
        and not memory.recent
        and all(outcome.state is State.UP for outcome in outcomes.values())
        and all(memory.regions.get(name) == "up" for name in outcomes)
        and all(vote == "up" for vote in memory.regions.values())
    )


def _believed(memory: MonitorState) -> State:
    """The state below an overlay: after maintenance or a pause nothing is believed until it is seen."""
    return State.UNKNOWN if memory.state in _OVERLAYS else memory.state


def _remember(recent: str, agreed: State, policy: Policy) -> str:
    """The last outcomes with this one. Once nothing can be seen, all before is forgotten, and nothing is added."""
    after = ((recent or "u") + _LETTER[agreed])[-_window(policy) :]
    return _blindness(policy) if _is_blind(after, policy) else after


def _blindness(policy: Policy) -> str:
    return "?" * max(policy.confirmations, 1)


def _is_blind(recent: str, policy: Policy) -> bool:
    """Whether nothing was seen so often that what was believed before may long be over."""
    return recent.endswith(_blindness(policy))


def _count(memory: MonitorState, agreed: State, *, recent: str, policy: Policy) -> tuple[int, int]:
    """The streaks after this slot, capped so that a steady monitor's row stays as it is."""
    if agreed is State.UNKNOWN:
        return (0, 0) if _is_blind(recent, policy) else (memory.bad, memory.good)
    if agreed is State.UP:
        return 0, min(memory.good + 1, max(policy.recoveries, 1))
    return min(memory.bad + 1, max(policy.confirmations, 1)), 0


def _decide(
    believed: State, agreed: State, *, recent: str, bad: int, good: int, policy: Policy
) -> State:
    if agreed is State.UNKNOWN:
        return State.UNKNOWN if _is_blind(recent, policy) else believed
    if agreed is State.UP:
        # Nothing bad was believed, so nothing has to recover.
        is_good = believed in (State.UP, State.UNKNOWN) or good >= policy.recoveries
        return State.UP if is_good else believed
    seen = recent.replace("?", "")
    if len(seen) - len(seen.rstrip("d")) >= policy.confirmations:
        return State.DOWN
    if believed is State.DOWN:
        # Partly working is a recovery too, and has to be confirmed like one.
        is_better = len(seen) - len(seen.rstrip("ug")) >= policy.recoveries
        return State.DEGRADED if is_better else State.DOWN
    return State.DEGRADED if bad >= policy.confirmations else believed


def _is_flapping(recent: str, policy: Policy, *, was: bool) -> bool:
    """More than `flap_changes` changes start it; it ends below half of that, so that it does not flap itself."""
    if not policy.flap_changes:
        return False
    seen = recent.replace("?", "")
    changes = sum(a != b for a, b in pairwise(seen))
    return changes >= policy.flap_changes // 2 if was else changes >= policy.flap_changes


def _window(policy: Policy) -> int:
    """How many outcomes are remembered: enough for flapping and for every count."""
    return max(policy.flap_window, policy.confirmations, policy.recoveries)


def _is_eventful(recent: str) -> bool:
    """Good outcomes, and gaps that are over, are not worth remembering (nor a write a slot)."""
    return recent.endswith("?") or recent.strip("u?") != ""


def _failure(
    memory: MonitorState, outcomes: Mapping[str, Outcome], *, state: State, agreed: State
) -> Failure | None:
    """The reason to show: the worst of this slot's, else the one that is still believed."""
    if agreed is State.UP:
        return memory.failure if state in (State.DOWN, State.DEGRADED) else None
    if agreed is State.UNKNOWN and state in (State.DOWN, State.DEGRADED):
        return memory.failure
    worst = worst_outcome(list(outcomes.values()))
    return worst.failure if worst is not None and worst.failure is not None else memory.failure


def worst_outcome(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The worst of some outcomes (down before degraded before unknown before up), None of none."""
    return max(outcomes, key=lambda outcome: _BADNESS[outcome.state], default=None)

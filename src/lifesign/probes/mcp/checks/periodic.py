"""Checks with a period of their own: when they are due, what they weigh, and how their last word is carried on.

A check that is not due tells what it saw last time. One that was not well last time is due at every probe until it
is well again, so that the confirmations of an alert count real looks.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import BaseModel

from lifesign.core.model import Failure, Finding, Level, State
from lifesign.probes.mcp.sheet import Sheet

EARLY = 0.05
"""A check is due when this share of its period is still to go, at most `MOST_EARLY_S`: slots come a little early or late."""
MOST_EARLY_S = 10.0

_GRAVITY = {Level.INFO: 0, Level.WARN: 1, Level.FAIL: 2}


class Weight(StrEnum):
    """What it does to the server when a check of its own period is not well."""

    FAILS = "fails"
    DEGRADES = "degrades"
    INFORMATIONAL = "informational"

    @property
    def cap(self) -> Level:
        """The worst that a trouble of such a check may be."""
        return _CAPS[self]


_CAPS = {
    Weight.FAILS: Level.FAIL,
    Weight.DEGRADES: Level.WARN,
    Weight.INFORMATIONAL: Level.INFO,
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a check found wrong, and how bad that is by itself."""

    level: Level
    failure: Failure


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of a check has to tell: its facts by the end of their names, and its troubles, worst first."""

    facts: Mapping[str, object] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()

    @property
    def state(self) -> State:
        """How the checked thing is by itself, whatever the check weighs."""
        return state_of(self.troubles)


def state_of(troubles: Iterable[Trouble]) -> State:
    """Down with a failure, degraded with a warning, else up."""
    gravity = max((_GRAVITY[trouble.level] for trouble in troubles), default=0)
    return (State.UP, State.DEGRADED, State.DOWN)[gravity]


def worst_first(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Troubles by gravity; of the same gravity, the first one stays first."""
    return tuple(sorted(troubles, key=lambda trouble: -_GRAVITY[trouble.level]))


@dataclass(slots=True)
class _Kept:
    settings: BaseModel
    at_s: float
    told: Told


class Shelf:
    """The last word of each check of one sort, kept in the memory of a monitor."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    @classmethod
    def of(cls, memory: MutableMapping[str, object], sort: str) -> "Shelf":
        """The shelf of a sort (`canary`, `health`) in a monitor's memory, put up when it is not there."""
        shelf = memory.get(f"mcp.{sort}")
        if not isinstance(shelf, cls):
            shelf = memory[f"mcp.{sort}"] = cls()
        return shelf

    def last(self, name: str, settings: BaseModel) -> Told | None:
        """What was told last under these very settings."""
        kept = self._kept.get(name)
        if kept is None or not (kept.settings is settings or kept.settings == settings):
            return None
        return kept.told

    def is_due(self, name: str, settings: BaseModel, *, every_s: float, now_s: float) -> bool:
        """Whether to look again: never looked, not well last time, or the period is over."""
        last = self.last(name, settings)
        if last is None or last.state is not State.UP:
            return True
        early_s = min(every_s * EARLY, MOST_EARLY_S)
        return now_s - self._kept[name].at_s >= every_s - early_s

    def keep(self, name: str, settings: BaseModel, told: Told, *, now_s: float) -> None:
        """Remember what was told."""
        self._kept[name] = _Kept(settings, now_s, told)

    def forget_others(self, names: Iterable[str]) -> None:
        """Let go of checks that are not configured any more."""
        known = set(names)
        self._kept = {name: kept for name, kept in self._kept.items() if name in known}


def tell(told: Told, sheet: Sheet, *, prefix: str, weight: Weight) -> Failure | None:
    """Write facts and findings onto the sheet; what is a failure for the server too is returned instead."""
    sheet.facts.update({f"{prefix}.{name}": value for name, value in told.facts.items()})
    failed: Failure | None = None
    for trouble in told.troubles:
        level = min(trouble.level, weight.cap, key=_GRAVITY.__getitem__)
        if level is Level.FAIL and failed is None:
            failed = trouble.failure
        else:
            _note(sheet, level, trouble.failure)
    return failed


def _note(sheet: Sheet, level: Level, failure: Failure) -> None:
    finding = Finding.of(failure, level)
    if finding not in sheet.findings:
        sheet.findings.append(finding)


def named(failure: Failure, who: str) -> Failure:
    """A failure of the net or the wire, told as what it means to the check `who`."""
    return replace(failure, message=f"{who}: {failure.message}")

"""The ladder as pages draw it: the rungs of `core.ladder` with the marks and words of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lifesign.core import ladder as core
from lifesign.core.model import Facts, Failure, Observation
from lifesign.web.phrases import milliseconds

Mark = Literal["ok", "fail", "skip"]
_WORDS: Mapping[Mark, str] = MappingProxyType({"ok": "passed", "fail": "failed", "skip": "not run"})
_MARKS: Mapping[core.RungState, Mark] = MappingProxyType(
    {"ok": "ok", "failed": "fail", "skipped": "skip"}
)
_NO_FACTS: Facts = MappingProxyType({})

_NOTED = frozenset({"tls", "http", "tools_list"})
"""Rungs whose note is short enough to stand beside the time."""
_NOT_ALWAYS = "tls"
"""Without times nobody knows whether this rung was needed, so it is only drawn when it broke."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One layer of one probe, as it is drawn."""

    label: str
    mark: Mark
    detail: str

    @property
    def word(self) -> str:
        """The mark in words, for those who do not see its shape."""
        return _WORDS[self.mark]


def rungs(
    order: Sequence[str],
    phases_ms: Mapping[str, float],
    *,
    failure: Failure | None,
    facts: Facts = _NO_FACTS,
) -> tuple[Rung, ...]:
    """The rungs of one run; a layer that was passed by (TLS of a plain connection) is left out."""
    seen = Observation(facts=facts, phases_ms=phases_ms)
    drawn = core.ladder(order, seen, failure)
    climbed = tuple(_drawn(rung) for rung in drawn if _was_needed(rung, has_times=bool(phases_ms)))
    is_walled = failure is None and facts.get("auth.state") == "required"
    return climbed + (_behind_sign_in(order, phases_ms) if is_walled else ())


def _behind_sign_in(order: Sequence[str], phases_ms: Mapping[str, float]) -> tuple[Rung, ...]:
    """What lies behind a proper demand to sign in: not reached, and nothing is wrong."""
    last = max((at for at, name in enumerate(order) if name in phases_ms), default=-1)
    behind = [core.title_of(name) for name in order[last + 1 :]]
    return tuple(
        Rung(name, "skip", "" if at else "behind sign-in") for at, name in enumerate(behind)
    )


def unclimbed(order: Sequence[str]) -> tuple[Rung, ...]:
    """The rungs of a kind that has not run yet."""
    return tuple(Rung(core.title_of(name), "skip", "not run") for name in order)


def _was_needed(rung: core.Rung, *, has_times: bool) -> bool:
    if has_times:
        return rung.state != "skipped" or bool(rung.note)
    return rung.name != _NOT_ALWAYS or rung.state == "failed"


def _drawn(rung: core.Rung) -> Rung:
    time = milliseconds(rung.ms) if rung.ms is not None and rung.state == "ok" else ""
    note = rung.note if rung.state != "ok" or rung.name in _NOTED else ""
    return Rung(rung.title, _MARKS[rung.state], " · ".join(filter(None, (time, note))))

"""The ladder: a probe drawn as its layers in order, each with its time, the first broken one red."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lifesign.core.model import Failure
from lifesign.web.phrases import layer, milliseconds

Mark = Literal["ok", "fail", "skip"]
_WORDS: dict[Mark, str] = {"ok": "passed", "fail": "failed", "skip": "not run"}


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
    order: Sequence[str], phases_ms: Mapping[str, float], *, failure: Failure | None
) -> tuple[Rung, ...]:
    """The rungs of one run.

    1. The layers are those that the kind names, then any other that was timed.
    2. The broken one is the failure's layer; when the kind has no such rung, it is the first layer
       that was not reached, or a rung of its own at the end when everything was reached.
    3. Layers after the broken one that were not timed are `not run`; a layer without a time that a
       later one passed by was not needed (TLS of a plain connection) and is left out.
    """
    names = [*order, *(name for name in phases_ms if name not in order)]
    broken = _broken(names, phases_ms, failure=failure)
    if broken and broken not in names:
        names.append(broken)
    return tuple(
        _rung(name, names, phases_ms=phases_ms, broken=broken, failure=failure)
        for name in names
        if name == broken or not _was_not_needed(name, names, phases_ms=phases_ms, broken=broken)
    )


_STANDS_IN = {"auth": "http", "jsonrpc": "http", "session": "initialized"}
"""Layers that have no time of their own, and the rung on which they break."""

_NOT_ALWAYS = "tls"
"""Without times nobody knows whether this rung was needed, so it is only drawn when it broke."""


def _broken(
    names: Sequence[str], phases_ms: Mapping[str, float], *, failure: Failure | None
) -> str:
    if failure is None:
        return ""
    if failure.layer in names:
        return failure.layer
    if _STANDS_IN.get(failure.layer) in names:
        return _STANDS_IN[failure.layer]
    if not phases_ms:
        return failure.layer
    reached = [index for index, name in enumerate(names) if name in phases_ms]
    after = max(reached, default=-1) + 1
    if failure.layer == "condition" or after >= len(names):
        return failure.layer
    return names[after]


def _was_not_needed(
    name: str, names: Sequence[str], *, phases_ms: Mapping[str, float], broken: str
) -> bool:
    if name in phases_ms:
        return False
    if not phases_ms and broken:
        return name == _NOT_ALWAYS
    later = names[names.index(name) + 1 :]
    return bool(phases_ms) and (broken in later or any(other in phases_ms for other in later))


def _rung(
    name: str,
    names: Sequence[str],
    *,
    phases_ms: Mapping[str, float],
    broken: str,
    failure: Failure | None,
) -> Rung:
    if name == broken and failure is not None:
        return Rung(layer(name), "fail", failure.code.replace("_", " "))
    if name in phases_ms:
        return Rung(layer(name), "ok", milliseconds(phases_ms[name]))
    if broken and names.index(name) < names.index(broken):
        # An alert knows its broken layer but no times: what lies before it did pass.
        return Rung(layer(name), "ok", "")
    return Rung(layer(name), "skip", "not run")

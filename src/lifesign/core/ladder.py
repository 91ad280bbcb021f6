"""The ladder: a probe drawn as its layers in order, the first broken rung marked, the rest not run.

The same rungs are drawn by the command line, in e-mails and on pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lifesign.core.model import Facts, Failure, Observation

_STANDS_IN: Mapping[str, str] = MappingProxyType(
    {"auth": "http", "jsonrpc": "http", "session": "initialized"}
)
"""Layers that have no time of their own, and the rung on which they break when there are no times at all."""

RungState = Literal["ok", "failed", "skipped"]

_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "dns": "DNS",
        "tcp": "TCP",
        "tls": "TLS",
        "http": "HTTP",
        "auth": "sign-in",
        "jsonrpc": "JSON-RPC",
        "health_url": "health URLs",
        "tools_list": "tools/list",
        "tools_call": "canary",
        "egress": "egress rules",
        "internal": "Lifesign",
    }
)
_MARKS: Mapping[RungState, str] = MappingProxyType({"ok": "●", "failed": "■", "skipped": "┄"})

# A refused `notifications/initialized` is a fault of the initialize layer that shows on the rung after it; a
# port that was connected to and then says nothing, or the wrong thing, breaks where its answer is waited for.
_RUNG_OF_CODE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("initialize", "rejected_initialized"): "initialized",
        ("tcp", "answer_timeout"): "first_byte",
        ("tcp", "unexpected_answer"): "first_byte",
        ("stdio", "not_allowed"): "spawn",
        ("stdio", "spawn_failed"): "spawn",
        ("stdio", "exited"): "initialize",
        ("stdio", "no_reply"): "initialize",
        ("stdio", "stdout_pollution"): "initialize",
        ("stdio", "too_much_output"): "initialize",
    }
)


@dataclass(frozen=True, slots=True)
class Rung:
    """One layer of a probe: whether it held, how long it took (None: not timed), and a few words."""

    name: str
    state: RungState
    ms: float | None = None
    note: str = ""

    @property
    def title(self) -> str:
        """The name as people write it: DNS, TCP, tools/list."""
        return title_of(self.name)


def title_of(layer: str) -> str:
    """The name of a layer or phase as people know it."""
    return _TITLES.get(layer, layer.replace("_", " "))


def ladder(
    kind_ladder: Sequence[str], observation: Observation, failure: Failure | None = None
) -> list[Rung]:
    """The rungs of one observation, in the kind's order.

    1. `failure` is the observation's own unless the caller gives one that was judged later (a condition
       that does not hold): that is drawn as one more rung below the others.
    2. The broken rung is the one of the failure's layer; when layers after it already ran (an HTTP error on a
       later request) or the layer has no rung (auth, jsonrpc, session), it is the first that has no time.
    3. What has a time before the broken rung is ok; what has none was not needed (TLS of a plain URL)
       and, like everything after the broken rung, skipped. A passive kind times nothing: its rungs are ok.
    4. What is our own fault and came before any layer (no token to be had, a bug) is one more rung above the others.
    """
    failure = observation.failure or failure
    phases, names = observation.phases_ms, list(kind_ladder)
    if failure is not None and failure.is_ours and not phases:
        wanted = _wanted_rung(names, failure)
        names[:0] = [] if wanted in names else [wanted]
    broken = _broken_rung(names, phases, failure)
    if failure is not None and broken == len(names):
        names.append(failure.layer)
    return [
        _rung(name, observation, None if at != broken else failure, is_reached=at <= broken)
        for at, name in enumerate(names)
    ]


def _broken_rung(names: Sequence[str], phases: Mapping[str, float], failure: Failure | None) -> int:
    """The index of the broken rung; the number of rungs when none of them is broken."""
    if failure is None:
        return len(names)
    ran = [at for at, name in enumerate(names) if name in phases]
    last = ran[-1] if ran else -1
    wanted = _wanted_rung(names, failure)
    if wanted in names and names.index(wanted) >= last:
        return names.index(wanted)
    if failure.layer in {"condition", "internal"}:
        return len(names)
    if not ran:
        # An alert knows its broken layer but no times.
        stand_in = _STANDS_IN.get(failure.layer)
        return names.index(stand_in) if stand_in in names else len(names)
    return last + 1


def _wanted_rung(names: Sequence[str], failure: Failure) -> str:
    """The rung that the failure itself speaks of; what the fence stopped was never dialled, and it stops first."""
    if failure.layer == "egress":
        is_dialling = "tcp" in names and failure.code != "blocked_name"
        return "tcp" if is_dialling else "dns"
    return _RUNG_OF_CODE.get((failure.layer, failure.code), failure.layer)


def _rung(
    name: str, observation: Observation, failure: Failure | None, *, is_reached: bool
) -> Rung:
    ms = observation.phases_ms.get(name)
    if failure is not None:
        return Rung(name, "failed", ms, _reproach(name, failure))
    if (ms is None and observation.phases_ms) or not is_reached:
        return Rung(name, "skipped", None, "" if is_reached else "not run")
    return Rung(name, "ok", ms, _note(name, observation.facts))


def _reproach(name: str, failure: Failure) -> str:
    words = failure.code.replace("_", " ")
    return words if failure.layer == name else f"{failure.layer.replace('_', ' ')}: {words}"


def _note(name: str, facts: Facts) -> str:
    """The one fact that says most about a rung that held."""
    if name == "tls":
        days = facts.get("tls.days_left")
        age = f"{days:.0f} days left" if isinstance(days, int | float) else ""
        return " · ".join(filter(None, [str(facts.get("tls.version", "")), age]))
    if name == "http":
        return str(facts.get("http.status", facts.get("status", "")))
    if name in {"initialize", "discover"}:
        return _words(facts, "server.name", "server.version")
    if name == "tools_list" and "tools.count" in facts:
        count = facts["tools.count"]
        return f"{count} tool" if count == 1 else f"{count} tools"
    return _words(facts, *_NOTED.get(name, ()))


_NOTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"tcp": ("ip",), "jsonrpc": ("framing",), "version": ("protocol_version", "era")}
)
"""Rungs whose note is just facts."""


def _words(facts: Facts, *names: str) -> str:
    return " ".join(str(facts[name]) for name in names if facts.get(name))


def as_text(rungs: Sequence[Rung]) -> str:
    """The ladder for mails and terminals: one line a rung, aligned, with a shape for each state."""
    width = max((len(rung.title) for rung in rungs), default=0)
    return "\n".join(
        f"{_MARKS[rung.state]} {rung.title:<{width}}  {_shown_ms(rung):>9}  {rung.note}".rstrip()
        for rung in rungs
    )


def _shown_ms(rung: Rung) -> str:
    if rung.ms is None:
        return "" if rung.state == "failed" else "-"
    return f"{rung.ms:.1f} ms" if rung.ms < 100 else f"{rung.ms:.0f} ms"

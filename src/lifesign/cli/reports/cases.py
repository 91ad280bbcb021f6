"""The result as a list of cases that each passed, failed, broke or were skipped: what test reports are made of.

Cases fail exactly when the command does: one fails or broke if and only if the exit code says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lifesign.cli.manifest_text import class_of
from lifesign.cli.output import clean
from lifesign.cli.probe_facts import canaries_of
from lifesign.cli.reports.rungs import rungs_of
from lifesign.cli.reports.values import Blame, Entry, is_amiss
from lifesign.core.ladder import Rung
from lifesign.core.model import Check, Failure, Finding, Level, State

Result = Literal["passed", "failed", "error", "skipped"]
_MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was looked at. `kind` is the code of what is wrong, `text` may have several lines."""

    group: str
    name: str
    result: Result = "passed"
    seconds: float = 0.0
    kind: str = ""
    message: str = ""
    text: str = ""


def cases_of(entry: Entry, fail_on: frozenset[Blame]) -> list[Case]:
    """Layers, conditions, canaries, findings and drift, in this order."""
    if entry.finished is None:
        return [Case("probe", "probe", "skipped", message=clean(entry.skipped))]
    return [
        *_layers(entry),
        *_conditions(entry, fail_on),
        *_canaries(entry, fail_on),
        *(_finding(found, fail_on) for found in entry.finished.observation.findings),
        *_drift(entry, fail_on),
    ]


def _layers(entry: Entry) -> Iterator[Case]:
    for rung in rungs_of(entry):
        if rung.name != "condition":
            yield _layer(rung, entry.failure)


def _layer(rung: Rung, failure: Failure | None) -> Case:
    seconds = (rung.ms or 0.0) / 1000
    if rung.state == "skipped":
        return Case("layers", rung.name, "skipped", message=rung.note or "not needed")
    if rung.state == "ok" or failure is None:
        return Case("layers", rung.name, seconds=seconds, text=clean(rung.note))
    return Case(
        "layers",
        rung.name,
        "error" if failure.is_ours else "failed",
        seconds,
        f"{failure.layer}/{failure.code}",
        clean(failure.message),
        _told(failure.message, failure.remedy, failure.evidence),
    )


def _conditions(entry: Entry, fail_on: frozenset[Blame]) -> Iterator[Case]:
    if entry.question is None or entry.finished is None:
        return
    checks = entry.finished.outcome.checks
    for check in checks:
        yield _condition(check, fail_on)
    if not checks:
        for condition in entry.question.conditions:
            message = "not held, because the probe failed"
            yield Case("conditions", clean(condition.text), "skipped", message=message)


def _condition(check: Check, fail_on: frozenset[Blame]) -> Case:
    name = clean(check.text)
    if check.holds:
        return Case("conditions", name)
    message = f"Expected {name}, found {clean(check.found)}."
    result = _result(check.level, fail_on)
    return Case("conditions", name, result, kind="condition/not_met", message=message, text=message)


def _canaries(entry: Entry, fail_on: frozenset[Blame]) -> Iterator[Case]:
    facts = entry.finished.observation.facts if entry.finished else {}
    for name, known in canaries_of(facts).items():
        state, took = known.get("state"), known.get("duration_ms", 0.0)
        seconds = float(took) / 1000 if isinstance(took, int | float) else 0.0
        # What is wrong stands in the layer or the finding; here it is only told which canary it was.
        is_bad = (state == "down" and _is_down(entry)) or (
            state in {"down", "degraded"} and _is_degraded(entry, fail_on)
        )
        result: Result = "failed" if is_bad else "skipped" if state == "unknown" else "passed"
        yield Case(
            "canaries", clean(name), result, seconds, "tools_call/canary", f"is {state}", f"{state}"
        )


def _is_down(entry: Entry) -> bool:
    failure = entry.failure
    return entry.state is State.DOWN and failure is not None and failure.layer == "tools_call"


def _is_degraded(entry: Entry, fail_on: frozenset[Blame]) -> bool:
    return entry.state is State.DEGRADED and Blame.DEGRADED in fail_on


def _finding(found: Finding, fail_on: frozenset[Blame]) -> Case:
    code, message = f"{found.layer}/{found.code}", clean(found.message)
    text = _told(found.message, found.remedy)
    result = _result(found.level, fail_on) if is_amiss(found) else "passed"
    return Case("findings", f"{code}: {message}", result, 0.0, code, message, text)


def _result(level: Level, fail_on: frozenset[Blame]) -> Result:
    """What something of this level does to the command."""
    needed = {Level.FAIL: Blame.DOWN, Level.WARN: Blame.DEGRADED, Level.INFO: Blame.FINDING}
    return "failed" if needed[level] in fail_on else "passed"


def _drift(entry: Entry, fail_on: frozenset[Blame]) -> Iterator[Case]:
    compared = entry.compared
    if compared is None:
        return
    is_asked, name = Blame.DRIFT in fail_on, f"surface is that of {compared.baseline}"
    if compared.unread:
        result: Result = "failed" if is_asked else "skipped"
        yield Case("drift", name, result, 0.0, "drift/unread", compared.unread, compared.unread)
        return
    lines = [f"{class_of(each)}: {clean(each.message)}" for each in compared.changes]
    text, count = "\n".join(lines[:_MOST_CHANGES]), len(compared.counted)
    if count and is_asked:
        message = f"{count} {'change' if count == 1 else 'changes'}"
        yield Case("drift", name, "failed", 0.0, "drift/changed", message, text)
    else:
        yield Case("drift", name, text=text)


def _told(message: str, remedy: str, evidence: str = "") -> str:
    """A failure in full, each line of it safe to show."""
    lines = [message, f"→ {remedy}" if remedy else "", *evidence.splitlines()]
    return "\n".join(clean(line) for line in lines if line)

"""The result as the one JSON document that programs read."""

from dataclasses import asdict

from lifesign.cli.manifest_text import class_of
from lifesign.cli.output import json_text
from lifesign.cli.probe_facts import canaries_of
from lifesign.cli.probing import Finished, findings_of
from lifesign.cli.reports.rungs import rungs_of
from lifesign.cli.reports.values import Blame, Compared, Entry, Report, blames
from lifesign.core.model import Facts, Failure, Finding

_IDENTITY = ("protocol_version", "era", "transport", "framing", "session", "capabilities")


def as_json(report: Report, *, indent: int | None = 2) -> str:
    """The document as text."""
    return json_text(as_object(report), indent=indent)


def as_object(report: Report) -> dict[str, object]:
    """One object for one target; for a file, its servers in a list."""
    if not report.config:
        return _entry(report.entries[0], report.fail_on)
    servers = [{"name": entry.name, **_entry(entry, report.fail_on)} for entry in report.entries]
    return {"config": report.config, "passed": report.has_passed, "servers": servers}


def _entry(entry: Entry, fail_on: frozenset[Blame]) -> dict[str, object]:
    if entry.question is None or entry.finished is None:
        return {"skipped": entry.skipped}
    finished, observed = entry.finished, entry.finished.observation
    return {
        "target": entry.question.target,
        "kind": entry.question.kind.name,
        "state": entry.state.value,
        "passed": not blames(entry, fail_on),
        "failure": None if entry.failure is None else _failure(entry.failure),
        "findings": [_finding(finding) for finding in findings_of(finished)],
        "layers": [asdict(rung) for rung in rungs_of(entry)],
        "phases_ms": {name: round(ms, 3) for name, ms in observed.phases_ms.items()},
        "server": _server(observed.facts),
        "auth": _below(observed.facts, "auth"),
        "tools": _below(observed.facts, "tools"),
        "canaries": canaries_of(observed.facts) or None,
        "surface": _surface(finished),
        "drift": None if entry.compared is None else _drift(entry.compared),
        "facts": dict(observed.facts),
        "started_at": finished.started_at.isoformat(),
        "duration_ms": round(finished.duration_ms, 3),
    }


def _failure(failure: Failure) -> dict[str, str]:
    named = asdict(failure)
    return {
        name: named[name] for name in ("layer", "code", "reason", "message", "remedy", "evidence")
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"level": finding.level.value, **_failure(finding.as_failure())}


def _server(facts: Facts) -> dict[str, object] | None:
    told = _below(facts, "server")
    return None if told is None else told | {name: facts.get(name) for name in _IDENTITY}


def _surface(finished: Finished) -> dict[str, object] | None:
    surface = finished.observation.surface
    return None if surface is None else {"digest": surface.digest, "hashes": dict(surface.hashes)}


def _drift(compared: Compared) -> dict[str, object]:
    changes = [{**asdict(change), "class": class_of(change)} for change in compared.changes]
    return {"baseline": compared.baseline, "unread": compared.unread, "changes": changes}


def _below(facts: Facts, prefix: str) -> dict[str, object] | None:
    """The facts of one dotted family, by what follows the dot."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): value for name, value in facts.items() if name.startswith(start)
    } or None

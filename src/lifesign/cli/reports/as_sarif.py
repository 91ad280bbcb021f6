"""The result as SARIF 2.1.0, which code-scanning systems show: what is wrong, by rule, with the target as its place.

The format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote

from lifesign import __version__
from lifesign.cli.manifest_text import class_of
from lifesign.cli.output import clean, json_text
from lifesign.cli.reports.values import Entry, Report
from lifesign.core.drift.values import Change, Impact
from lifesign.core.model import Level, State
from lifesign.probes.mcp.codes import CODES

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_RESULTS = 5000
"""What code scanning takes of one run is bounded; GitHub's limit is 25,000 results."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

SARIFLevel = Literal["error", "warning", "note"]
_LEVELS: Mapping[Level, SARIFLevel] = MappingProxyType(
    {Level.FAIL: "error", Level.WARN: "warning", Level.INFO: "note"}
)
_IMPACTS: Mapping[Impact, SARIFLevel] = MappingProxyType(
    {
        Impact.BREAKING: "error",
        Impact.HINT: "warning",
        Impact.TEXT: "warning",
        Impact.ADDITIVE: "note",
        Impact.INFO: "note",
    }
)


@dataclass(frozen=True, slots=True)
class _Told:
    """One result before it is numbered. `subject` tells results of one rule and place apart."""

    rule: str
    level: SARIFLevel
    message: str
    remedy: str
    subject: str = ""
    evidence: str = ""


def as_sarif(report: Report) -> str:
    """The document as text."""
    return json_text(as_object(report))


def as_object(report: Report) -> dict[str, object]:
    """The log with its one run."""
    told = [(entry, each) for entry in report.entries for each in _told(entry)][:_MOST_RESULTS]
    rules = {each.rule: _rule(each) for _, each in told}
    numbers = {name: number for number, name in enumerate(rules)}
    driver = {
        "name": "Lifesign",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": list(rules.values()),
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": 0 if report.has_passed else 2,
                **_when(report),
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(entry, each, numbers[each.rule]) for entry, each in told],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _when(report: Report) -> dict[str, str]:
    started = [entry.finished.started_at for entry in report.entries if entry.finished]
    return {"startTimeUtc": min(started).strftime("%Y-%m-%dT%H:%M:%SZ")} if started else {}


def _told(entry: Entry) -> Iterator[_Told]:
    failure = entry.failure
    if failure is not None:
        level: SARIFLevel = "warning" if entry.state is State.DEGRADED else "error"
        rule = f"{failure.layer}/{failure.code}"
        yield _Told(rule, level, failure.message, failure.remedy, evidence=failure.evidence)
    for found in entry.other_findings:
        rule = f"{found.layer}/{found.code}"
        yield _Told(rule, _LEVELS[found.level], found.message, found.remedy, found.message)
    for change in entry.compared.changes if entry.compared else ():
        yield _change(change)


def _change(change: Change) -> _Told:
    remedy = "If the change is meant, write the baseline anew and let it be reviewed."
    rule = f"drift/{change.code}"
    subject = f"{change.subject} {change.path}"
    message = f"{change.message} ({class_of(change)})"
    return _Told(rule, _IMPACTS[change.impact], message, remedy, subject)


def _rule(told: _Told) -> dict[str, object]:
    """The rule with what its code means; one of the layers below MCP has its remedy alone."""
    layer, _, code = told.rule.partition("/")
    known = CODES.get((layer, code))
    words = code.replace("_", " ")
    remedy = clean((known.remedy if known else told.remedy) or "See the message.")
    meaning = f"This is told when {known.meaning}." if known else f"{layer}: {words}."
    return {
        "id": told.rule,
        "name": "".join(part.capitalize() for part in f"{layer}_{code}".split("_")),
        "shortDescription": {"text": f"{layer}: {words}"},
        "fullDescription": {"text": meaning},
        "help": {
            "text": f"{meaning} {remedy}",
            "markdown": f"**{layer}/{code}**: {meaning}\n\n{remedy}",
        },
        "defaultConfiguration": {"level": told.level},
    }


def _result(entry: Entry, told: _Told, number: int) -> dict[str, object]:
    message = clean(f"{told.message} {told.remedy}".strip(), 1000)
    name = clean(entry.name, 200)
    place = {
        # Consumers want a line; a target has none.
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(entry)},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"name": name, "kind": "resource"}],
    }
    print_ = hashlib.sha256("\n".join((_uri(entry), told.rule, told.subject)).encode()).hexdigest()
    result: dict[str, object] = {
        "ruleId": told.rule,
        "ruleIndex": number,
        "level": told.level,
        "message": {"text": message},
        "locations": [place],
        "partialFingerprints": {"lifesignResult/v1": print_},
    }
    if told.evidence:
        evidence = "\n".join(clean(line) for line in told.evidence.splitlines())
        result["properties"] = {"evidence": evidence}
    return result


def _uri(entry: Entry) -> str:
    """The target as a URI: a URL as it is, and anything else below the name of its kind."""
    if entry.question is None:
        return quote(clean(entry.name, 200))
    target = clean(entry.question.target, 2000)
    if _SCHEME.match(target):
        return quote(target, safe="/:?#[]@!$&'()*+,;=%~")
    return f"{entry.question.kind.name}:{quote(target, safe='/:@')}"

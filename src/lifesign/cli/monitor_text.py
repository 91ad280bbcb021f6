"""Monitors and runs as people read them in a terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lifesign.cli.output import clean, emit, emit_table, note, paint, state_word
from lifesign.cli.probe_facts import told_facts
from lifesign.clock import SystemClock
from lifesign.core.model import State

JSONObject = Mapping[str, Any]

_NAME_CHARS = 40
_TARGET_CHARS = 50
_REASON_CHARS = 60
_EVIDENCE_CHARS = 600


def print_monitors(monitors: Sequence[JSONObject]) -> None:
    """A table, one line a monitor."""
    if not monitors:
        note("There are no such monitors. `lifesign monitor add TARGET` adds one.")
        return
    heads = ("STATE", "NAME", "KIND", "TARGET", "FOR", "24 H", "P95", "WHY")
    named = Counter(monitor["name"] for monitor in monitors)
    emit_table(heads, [_cells(each, is_alone=named[each["name"]] == 1) for each in monitors])


def _cells(monitor: JSONObject, *, is_alone: bool) -> tuple[str, ...]:
    """The cells of one line; the slug tells monitors of the same name apart."""
    name = clean(monitor["name"], _NAME_CHARS)
    return (
        state_word(State(monitor["state"])),
        name if is_alone else f"{name} ({monitor['slug']})",
        monitor["kind"],
        clean(monitor["target"], _TARGET_CHARS),
        age(monitor["since"]),
        percent(monitor.get("uptime_24h")),
        milliseconds(monitor.get("p95_ms_24h")),
        clean(why(monitor["failure"]), _REASON_CHARS),
    )


def print_monitor(monitor: JSONObject, concerns: Sequence[JSONObject] = ()) -> None:
    """One monitor, a line a fact; then the open alerts beside its state (drift, a credential), and its last run."""
    state = state_word(State(monitor["state"]))
    lasting = f"  for {age(monitor['since'])}" if monitor["since"] else ""
    emit(f"{state} {paint(clean(monitor['name']), 'bold')}{lasting}")
    facts = {
        "id": f"{monitor['id']} ({monitor['slug']})",
        "kind": monitor["kind"],
        "target": clean(monitor["target"]),
        "ping URL": monitor["ping_url"],
        "every": f"{monitor['interval_s']:g} s, at most {monitor['timeout_s']:g} s",
        "expects": "; ".join(monitor["conditions"]),
        "tags": ", ".join(monitor["tags"]),
        "group": clean(monitor["group"]),
        "uptime": f"{percent(monitor.get('uptime_24h'))} in 24 h",
        "owner": "the configuration file (read-only)" if monitor["read_only"] else "",
    }
    for label, text in facts.items():
        if text:
            emit(f"  {label:<9} {text}")
    last = monitor.get("last_run")
    if monitor["failure"] and why(monitor["failure"]) != why((last or {}).get("failure")):
        _print_failure(monitor["failure"])
    for alert in concerns:
        emit()
        emit(f"◆ {clean(alert['title'])}  for {age(alert['opened_at'])} ({alert['severity']})")
        if alert["failure"]:
            _print_failure(alert["failure"])
    if last:
        emit()
        print_run(last)


def print_run(run: JSONObject) -> None:
    """One run: how it went, each phase, what was seen, what does not hold and what is wrong besides."""
    state = state_word(State(run["state"]))
    emit(f"{state} at {run['started_at']}, {milliseconds(run['duration_ms'])}")
    for phase, ms in run["phases_ms"].items():
        emit(f"  {phase:<12} {milliseconds(ms):>9}")
    for label, text in told_facts(run.get("facts", {})):
        emit(f"  {label:<12} {text}")
    failure = run["failure"] or {}
    if failure:
        _print_failure(failure)
    for check in run["checks"]:
        if not check["holds"]:
            emit(f"  expected {clean(check['text'])}, found {clean(str(check['found']))}")
    for finding in run["findings"]:
        # What degrades a monitor is a finding that became its failure: once is enough.
        if finding["message"] != failure.get("message"):
            emit(f"  {finding['level']}: {clean(finding['message'])}")
            if finding["remedy"]:
                emit(f"    {clean(finding['remedy'])}")


def _print_failure(failure: JSONObject) -> None:
    emit(f"  {paint(why(failure), 'red')}: {clean(failure['message'])}")
    if failure.get("remedy"):
        emit(f"  {clean(failure['remedy'])}")
    if failure.get("evidence"):
        emit(f"  {paint('seen:', 'dim')} {clean(failure['evidence'], _EVIDENCE_CHARS)}")


def why(failure: JSONObject | None) -> str:
    """The layer and the code, or nothing."""
    return f"{failure['layer']} / {failure['code']}" if failure else ""


def age(since: str | None) -> str:
    """How long ago an instant was, in its largest unit: `41s`, `7m`, `3h`, `12d`."""
    if not since:
        return "-"
    passed = SystemClock().now() - datetime.fromisoformat(since)
    seconds = max(0, int(passed.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def moment(at: str | None) -> str:
    """An instant to the minute, in UTC: `2026-11-20 13:57Z`."""
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%MZ}" if at else "never"


def percent(fraction: float | None) -> str:
    """A fraction as `99.95%`; it says 100% only when it is."""
    if fraction is None:
        return "-"
    shown = f"{fraction * 100:.2f}"
    return "100%" if fraction == 1 else f"{'99.99' if shown == '100.00' else shown}%"


def milliseconds(value: float | None) -> str:
    """A duration as `12.3 ms`."""
    return "-" if value is None else f"{value:.1f} ms"

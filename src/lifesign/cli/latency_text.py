"""Percentiles as people read them in a terminal: one line for the whole and one for each phase."""

from collections.abc import Iterator, Mapping
from typing import Any

from lifesign.cli.monitor_text import milliseconds
from lifesign.cli.output import emit, emit_table, note

JSONObject = Mapping[str, Any]


def print_latency(latency: JSONObject) -> None:
    """A table over all windows; then what is usual and what would be told."""
    rows = [row for window in latency["windows"] for row in _rows(window)]
    emit_table(("WINDOW", "PHASE", "RUNS", "P50", "P95", "P99"), rows)
    emit()
    usual = latency["baseline_p95_ms"]
    if usual is None:
        note("Too little is known yet to say what is usual: that takes 100 runs over 24 hours.")
        return
    seen = f"{latency['baseline_runs']} runs of {latency['baseline_days']} days"
    emit(f"Usual is a p95 of {milliseconds(usual)} ({seen}).")
    if latency["limit_ms"] is not None:
        emit(f"Three periods above {milliseconds(latency['limit_ms'])} are told.")


def _rows(window: JSONObject) -> Iterator[tuple[str, ...]]:
    yield (window["window"], "all", *_cells(window["total"]))
    for name, found in window["phases"].items():
        yield ("", name, *_cells(found))


def _cells(found: JSONObject) -> tuple[str, ...]:
    figures = (milliseconds(found[name]) for name in ("p50_ms", "p95_ms", "p99_ms"))
    return (str(found["count"]), *figures)

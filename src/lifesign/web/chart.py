"""What the chart of response times draws: which phases are large enough, and which of their measures."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from lifesign.service.views import HistoryView, SeriesPoint

MEASURES: Mapping[str, str] = MappingProxyType(
    {"mean": "stacked", "p50": "p50", "p95": "p95", "p99": "p99"}
)
"""Means add up, so they are stacked; percentiles of phases do not, so each is a line of its own."""

MOST_PHASES = 8
_LEAST_SHARE = 0.01
"""A phase below one hundredth of the whole is thinner than a pixel; the table has it all the same."""


def phase_names(history: HistoryView) -> tuple[str, ...]:
    """The phases that any point of the chart has, in the order in which they run."""
    return tuple(dict.fromkeys(name for point in history.points for name in point.phases_ms))


def drawn_phases(history: HistoryView) -> tuple[str, ...]:
    """The phases that can be seen in a drawing, in the order in which they run."""
    totals: Counter[str] = Counter()
    for point in history.points:
        for name, mean_ms in point.phases_ms.items():
            totals[name] += mean_ms * point.count  # type: ignore[assignment]  # Counter is typed for whole numbers
    for name in _occasional(history):
        totals.pop(name, None)
    least = _LEAST_SHARE * sum(totals.values())
    large = {name for name, total in totals.most_common(MOST_PHASES) if total >= least}
    return tuple(name for name in phase_names(history) if name in large)


def _occasional(history: HistoryView) -> set[str]:
    """The phases that only some runs have (checks with a period of their own): no part of how long a run takes."""
    counts = {name: found.count for name, found in history.phases.items()}
    most = max(counts.values(), default=0)
    return {name for name, count in counts.items() if count < _MOST_RUNS * most}


_MOST_RUNS = 0.6


def measured(point: SeriesPoint, name: str, measure: str) -> float | None:
    """One measure of one phase in one bucket; None where it did not run."""
    if measure == "mean":
        return point.phases_ms.get(name)
    found = point.phases.get(name)
    return getattr(found, f"{measure}_ms") if found is not None else None

"""The ladder of an entry, drawn alike in every format."""

from lifesign.cli.reports.values import Entry
from lifesign.core.ladder import Rung, ladder
from lifesign.core.model import State


def rungs_of(entry: Entry) -> list[Rung]:
    """The layers in order. What only degrades broke none of them, and is told beside them."""
    if entry.question is None or entry.finished is None:
        return []
    drawn = None if entry.state is State.DEGRADED else entry.failure
    return ladder(entry.question.kind.ladder, entry.finished.observation, drawn)

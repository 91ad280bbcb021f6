"""Writes the tables of `docs/mcp-servers.md`: every layer and code, what it means, what to do."""

from collections.abc import Iterator
from itertools import groupby

from lifesign.core.ladder import title_of
from lifesign.probes.mcp.codes import CODES


def render() -> str:
    """What stands below the mark of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for layer, codes in groupby(CODES, key=lambda place: place[0]):
        yield f"\n### {title_of(layer)}\n"
        yield "| code | told when | reason | what to do |"
        yield "|---|---|---|---|"
        for place in codes:
            code = CODES[place]
            cells = (f"`{layer}/{place[1]}`", code.meaning, f"`{code.reason.value}`", code.remedy)
            yield f"| {' | '.join(cells)} |"

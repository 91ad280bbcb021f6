"""Arguments that several tools share, with the words a model reads about them."""

from typing import Annotated

from pydantic import Field

Limit = Annotated[int, Field(ge=1, le=100, description="How many rows to return at most.")]
Cursor = Annotated[
    str | None,
    Field(
        max_length=500, description="next_cursor of the page before; leave out for the first page."
    ),
]
MonitorId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="The monitor's id or slug, as list_endpoints and list_heartbeats show it.",
    ),
]
MonitorType = Annotated[
    str,
    Field(max_length=50, description="Optional guard: refuse unless the monitor is of this kind."),
]

"""A server on today's SDK, which speaks both eras: PORT http|json|sse. It has as many tools as a rich real server.

`http` keeps sessions and answers with event streams, `json` is stateless and answers with JSON, `sse` is the old
transport of two addresses.
"""

import sys
from typing import Annotated

import uvicorn
from mcp.server import MCPServer
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

PORT, SHAPE = int(sys.argv[1]), sys.argv[2]
TOOLS = 31

server = MCPServer("two-eras", title="Two eras", version="2.3.0", instructions="Counts things.")


class Row(BaseModel):
    """One thing that was counted."""

    name: Annotated[str, Field(description="What it is called: Größe, 数量, 🧮.", max_length=200)]
    count: Annotated[float, Field(description="How many there are.", ge=0, le=1e9)] = 0.5
    tags: list[str] = []


class Report(BaseModel):
    """All that was counted."""

    rows: list[Row]
    total: float


async def count(
    rows: list[Row], region: Annotated[str, Field(pattern="^[a-z-]+$")] = "here"
) -> Report:
    """Count the rows of one region and give back the total of them."""
    return Report(rows=rows, total=sum(row.count for row in rows) + len(region))


for number in range(TOOLS):
    server.add_tool(
        count,
        name=f"count_{number:02d}",
        title=f"Count {number}",
        description=f"Counts things of sort {number}. " + "It reads and changes nothing. " * 8,
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=number % 2 == 0),
    )


@server.resource("note://today")
def note() -> str:
    """What is on today."""
    return "nothing"


@server.resource("note://{day}")
def note_of(day: str) -> str:
    """What is on some day."""
    return f"nothing on {day}"


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Say hello to {name}."


app = (
    server.sse_app()
    if SHAPE == "sse"
    else server.streamable_http_app(stateless_http=SHAPE == "json", json_response=SHAPE == "json")
)
uvicorn.run(app, host="127.0.0.1", port=PORT, ws="none", timeout_graceful_shutdown=1)

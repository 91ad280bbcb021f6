"""An MCP server for tests: faithful to the specification, with one switch for every way to fail.

    from lifesign.testing import faulty

    async with faulty("tools_list/hang") as server:
        ...  # give server.url to the client under test

It stands on the standard library alone and imports nothing of Lifesign, so that other projects can use it. From a
shell: `python -m lifesign.testing --list`.
"""

from lifesign.testing.answers import (
    Answer,
    Call,
    Say,
    altered,
    as_json,
    error,
    event,
    events,
    merged,
    page,
    reply,
)
from lifesign.testing.endpoint import Framing
from lifesign.testing.everything import EVERYTHING
from lifesign.testing.faults import ELSEWHERE, FAULTS, Fault, Where
from lifesign.testing.gate import CLIENT_ID, CLIENT_SECRET, OPEN_TOKEN, Gate
from lifesign.testing.offer import Memory, Offer, Outcome, Prompt, Resource, Template, Tool, text
from lifesign.testing.protocol import Era, Transport
from lifesign.testing.server import TOOL, FaultyMCP, faulty
from lifesign.testing.ways import SESSION, Arrival, Ways

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ELSEWHERE",
    "EVERYTHING",
    "FAULTS",
    "OPEN_TOKEN",
    "SESSION",
    "TOOL",
    "Answer",
    "Arrival",
    "Call",
    "Era",
    "Fault",
    "FaultyMCP",
    "Framing",
    "Gate",
    "Memory",
    "Offer",
    "Outcome",
    "Prompt",
    "Resource",
    "Say",
    "Template",
    "Tool",
    "Transport",
    "Ways",
    "Where",
    "altered",
    "as_json",
    "error",
    "event",
    "events",
    "faulty",
    "merged",
    "page",
    "reply",
    "text",
]

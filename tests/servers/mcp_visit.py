"""One visit of the MCP probe, and where it failed: what its tests share."""

import asyncio
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from lifesign.clock import SystemClock
from lifesign.core.model import Observation
from lifesign.net import Net
from lifesign.probes.mcp import MCPFacts, MCPSettings, watch
from lifesign.probes.registry import ProbeContext

GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "faulty", "version": "1.0"},
}


OPEN = (
    "auth.",
    "session_calls.",
    "canary.",
    "health.",
    "resources.",
    "prompts.",
    "completion.",
    "stream.",
)
"""Facts below which any name may follow."""


async def probe(url: str, *, within: float = 5.0, **settings: Any) -> Observation:
    """Probe once, with a handshake unless told otherwise, and hold the observation against what the kind declares."""
    settings = {"era": "legacy", "session_calls": 0} | settings
    deadline = asyncio.get_running_loop().time() + within
    context = ProbeContext(Net.open(), SystemClock(), deadline)
    observation = await watch(MCPSettings(url=url, **settings), context)

    known = set(names_of(MCPFacts))
    assert {name for name in observation.facts if not name.startswith(OPEN)} <= known
    assert observation.failure is None or len(observation.failure.evidence.encode()) <= 2048
    return observation


def names_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of a facts model."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def where(observation: Observation) -> str:
    """Layer and code of the failure, or ok."""
    failure = observation.failure
    return f"{failure.layer}/{failure.code}" if failure else "ok"

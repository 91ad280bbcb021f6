"""A look of the real probe at a faulty server, and every layer and code that it tells: what the tests of codes share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lifesign.clock import SystemClock
from lifesign.core.model import Observation
from lifesign.net import Net
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext, load_kinds
from lifesign.testing import FAULTS, FaultyMCP, Where

KINDS = load_kinds()

WITHIN_S = 5.0
SHORT_S = 0.8
"""The deadline where something is not answered at all."""


def _nothing(_: FaultyMCP) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Look:
    """What a probe must be told to see a fault, how long it may take, and how often it looks."""

    settings: Callable[[FaultyMCP], dict[str, Any]] = _nothing
    within: float = WITHIN_S
    times: int = 1


async def look(server: FaultyMCP, how: Look, net: Net, **more: Any) -> Observation:
    """The last of so many looks at a server, by one monitor that remembers."""
    settings = KINDS["mcp"].settings.model_validate(
        {"url": server.url} | how.settings(server) | more
    )
    memory: dict[str, object] = {}
    for _ in range(how.times):
        deadline = asyncio.get_running_loop().time() + how.within
        context = ProbeContext(net, SystemClock(), deadline, memory=memory)
        observation = await observe(KINDS["mcp"], settings, context)
    return observation


def said(observation: Observation) -> list[str]:
    """Every layer and code that is told, the failure first."""
    failure = [observation.failure] if observation.failure else []
    return [f"{told.layer}/{told.code}" for told in (*failure, *observation.findings)]


def switches(where: Where, *, is_hostile: bool = False) -> list[str]:
    """The codes of the switches of one part of the server."""
    found = (code for code, fault in FAULTS.items() if fault.where is where)
    return [code for code in found if code.startswith("hostile/") is is_hostile]

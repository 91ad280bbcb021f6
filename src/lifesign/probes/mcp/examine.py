"""What is asked of a server once it was greeted, in order: its lists, then everything that the settings want tried."""

from dataclasses import dataclass

from lifesign.core.model import Failure, Surface
from lifesign.probes.mcp.checks.surface import read_surface
from lifesign.probes.mcp.client.eras import Arrival
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.settings import ServerSettings
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of it: the surface, and the first thing that is wrong behind a good handshake."""

    surface: Surface | None = None
    failure: Failure | None = None


async def examine(
    visit: Visit, settings: ServerSettings, sheet: Sheet, ctx: ProbeContext, *, audience: str = ""
) -> Examined:
    """Ask. Raises `NetError` when the tools cannot be listed."""
    del settings
    surface, _ = await read_surface(
        visit, sheet, ctx.memory, now=ctx.clock.monotonic(), audience=audience
    )
    return Examined(surface)


def note_greeting(arrival: Arrival, sheet: Sheet) -> None:
    """The facts of a good handshake."""
    visit = arrival.visit
    greeting, phases = visit.greeting, sheet.phases
    asked = phases.get("initialize", phases.get("discover", 0.0))
    sheet.facts |= {
        "era": visit.era.value,
        "transport": visit.transport,
        "server.name": greeting.server_name,
        "server.version": greeting.server_version,
        "protocol_version": greeting.version,
        "capabilities": sorted(greeting.capabilities)[:50],
        "session": visit.line.has_session,
        "initialize_ms": round(phases.get("http", 0.0) + asked, 3),
    }

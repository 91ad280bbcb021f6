"""What is asked of a server once it was greeted, in order: its lists, then everything that the settings want tried."""

from collections.abc import Mapping
from dataclasses import dataclass

from lifesign.core.model import Failure, Surface
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.canary import OpenVisit, is_any_due, run_canaries
from lifesign.probes.mcp.checks.lists import Listing
from lifesign.probes.mcp.checks.primitives import check_primitives
from lifesign.probes.mcp.checks.shapes import Tool, ToolList, read_tools
from lifesign.probes.mcp.checks.stream import check_stream
from lifesign.probes.mcp.checks.surface import read_surface
from lifesign.probes.mcp.client.eras import Arrival
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Fault
from lifesign.probes.mcp.settings import ServerSettings
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of it: the surface, and the first thing that is wrong behind a good handshake."""

    surface: Surface | None = None
    failure: Failure | None = None


async def examine(
    visit: Visit,
    settings: ServerSettings,
    sheet: Sheet,
    ctx: ProbeContext,
    *,
    audience: str = "",
    open_visit: OpenVisit | None = None,
) -> Examined:
    """Ask. Raises `NetError` when the tools cannot be listed; what fails later is told with the surface."""
    surface, listing = await read_surface(
        visit,
        sheet,
        ctx.memory,
        now=ctx.clock.monotonic(),
        audience=audience,
        left_out="resources" if settings.resources_are_data else "",
    )
    try:
        failure = await _try_out(
            visit, settings, sheet, ctx, listing=listing, open_visit=open_visit
        )
    except NetError as error:
        failure = error.failure
    return Examined(surface, failure)


async def _try_out(
    visit: Visit,
    settings: ServerSettings,
    sheet: Sheet,
    ctx: ProbeContext,
    *,
    listing: Listing | None,
    open_visit: OpenVisit | None,
) -> Failure | None:
    """Everything that the settings ask for, each part when it is due. The first failure is the one that counts."""
    failure: Failure | None = None
    if settings.canaries or settings.stream is not None:
        # The list is decoded only for who needs it: it may be large, and is hashed otherwise.
        is_needed = settings.stream is not None or is_any_due(settings.canaries, ctx)
        listed = _by_name(listing) if is_needed else None
        failure = await run_canaries(
            visit, settings.canaries, sheet, listed=listed, ctx=ctx, open_visit=open_visit
        )
        if settings.stream is not None and listed is not None:
            found = await check_stream(visit, sheet, ctx, settings.stream, listed=listed)
            failure = sheet.first(failure, found)
    found = await check_primitives(
        visit,
        sheet,
        ctx,
        resource=settings.resource,
        prompt=settings.prompt,
        completion=settings.completion,
    )
    return sheet.first(failure, found)


def _by_name(listing: Listing | None) -> Mapping[str, Tool]:
    listed = read_tools(listing.pages) if listing is not None else ToolList()
    return {} if isinstance(listed, Fault) else {tool["name"]: tool for tool in listed.tools}


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

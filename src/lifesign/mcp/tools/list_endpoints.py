"""The tool list_endpoints."""

from typing import Annotated

from pydantic import Field

from lifesign.core.model import State
from lifesign.core.paging import Page
from lifesign.mcp.arguments import Cursor, Limit
from lifesign.mcp.paging import read_slice
from lifesign.mcp.registry import Call, tool
from lifesign.mcp.results import Listing, MonitorRow
from lifesign.service.views import MonitorView
from lifesign.store.values import MonitorQuery


class EndpointList(Listing):
    """Endpoints, worst first."""

    endpoints: list[MonitorRow]


@tool(title="List endpoints")
async def list_endpoints(
    call: Call,
    *,
    kind: Annotated[
        str, Field(max_length=50, description="Only this kind: http, tcp, tls, dns, mcp, …")
    ] = "",
    state: Annotated[
        State | None, Field(description="Only endpoints in this state; leave out for all.")
    ] = None,
    tag: Annotated[
        str, Field(max_length=64, description="Only endpoints that carry this tag.")
    ] = "",
    search: Annotated[
        str,
        Field(max_length=200, description="Only endpoints with this text in name, tag or group."),
    ] = "",
    limit: Limit = 25,
    cursor: Cursor = None,
) -> EndpointList:
    """Lists what Lifesign checks actively (websites, ports, certificates, DNS, MCP servers), worst first.

    Each row says the state and since when, why it is not up and what to do, uptime and p95 latency of the
    last 24 hours. Use it to find out what is down, or to find the id that the other tools need. Scheduled
    jobs that report in themselves are in list_heartbeats.
    """

    async def fetch(most: int, at: str | None) -> Page[MonitorView]:
        states = () if state is None else (state,)
        query = MonitorQuery(kind=kind, states=states, tag=tag, text=search, limit=most, cursor=at)
        return await call.services.monitors.list(call.scope, query)

    # A heartbeat is told, not asked: no endpoint.
    page = await read_slice(
        fetch, MonitorRow.of, limit=limit, cursor=cursor, keep=lambda view: view.kind != "heartbeat"
    )
    return EndpointList(endpoints=page.rows, next_cursor=page.next_cursor, note=page.note)

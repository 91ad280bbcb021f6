"""Alerts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from lifesign.api.doors import Operator, Reader
from lifesign.api.monitors import Cursor, Limit
from lifesign.api.replies import JSONObject, Listing, reply, takes
from lifesign.core.errors import InvalidError
from lifesign.core.messages import AlertState
from lifesign.core.model import Severity
from lifesign.service.services import Services
from lifesign.service.views import AlertView, DeliveryView
from lifesign.store.values import AlertQuery

MAX_NAME = 200


class Acknowledgement(BaseModel):
    """Who looks after it; the caller when absent."""

    by: str = Field(default="", max_length=MAX_NAME, description="The name that others will see.")


_ACK = takes(Acknowledgement, required=False)


def alert_routes(services: Services) -> APIRouter:
    """Everything below `/alerts`."""
    router = APIRouter(prefix="/alerts", tags=["alerts"])

    @router.get("", response_model=Listing[AlertView])
    async def list_alerts(
        scope: Reader,
        *,
        state: Annotated[list[AlertState] | None, Query(description="Any of these.")] = None,
        severity: Annotated[Severity | None, Query(description="The mildest wanted.")] = None,
        monitor_id: Annotated[str, Query(max_length=200)] = "",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Alerts, newest first."""
        query = AlertQuery(
            states=tuple(state or ()), severity=severity, monitor_id=monitor_id, limit=limit,
            cursor=cursor,
        )  # fmt: skip
        return reply(await services.alerts.list(scope, query))

    @router.get("/{id}", response_model=AlertView)
    async def get_alert(scope: Reader, id: str) -> Response:
        """One alert."""
        return reply(await services.alerts.get(scope, id))

    @router.post("/{id}/ack", response_model=AlertView, openapi_extra=_ACK)
    @router.post("/{id}/acknowledge", response_model=AlertView, include_in_schema=False)
    async def acknowledge_alert(scope: Operator, id: str, body: JSONObject) -> Response:
        """Say that you look after it; others are told by the routes that want to hear of it."""
        by = body.get("by") or scope.actor
        if not isinstance(by, str) or len(by) > MAX_NAME or body.keys() - {"by"}:
            reason = f"may hold `by`, a name of at most {MAX_NAME} characters, and nothing else"
            raise InvalidError(f"The body {reason}.", problems=(("by", reason),))
        return reply(await services.alerts.acknowledge(scope, id, by=by))

    @router.get("/{id}/deliveries", response_model=Listing[DeliveryView])
    async def alert_deliveries(scope: Reader, id: str) -> Response:
        """Which channels were told of it, why, and how that went."""
        items = await services.alerts.deliveries(scope, id)
        return reply({"items": items, "next_cursor": None, "total": len(items)})

    return router

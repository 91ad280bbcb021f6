"""The API as one ASGI application: `/api/v1`, `/metrics`, `/healthz`, `/readyz` and `/ping`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.types import ASGIApp

from lifesign import __version__
from lifesign.api.alerts import Acknowledgement, alert_routes
from lifesign.api.channels import channel_routes, route_routes
from lifesign.api.doors import Doorkeeper, Needs
from lifesign.api.events import event_routes
from lifesign.api.house import TokenDraft, house_routes
from lifesign.api.ingest import PingIngest
from lifesign.api.metrics import metric_routes
from lifesign.api.monitors import monitor_routes, seen_routes
from lifesign.api.problems import Problem, add_error_pages
from lifesign.api.replies import REFUSALS
from lifesign.api.shields import Shields
from lifesign.api.surfaces import AcceptDraft, ReleaseDraft, release_routes, surface_routes
from lifesign.api.vitals import health_routes
from lifesign.channels.registry import ChannelKinds
from lifesign.clock import Clock
from lifesign.config import Config
from lifesign.core.scope import Grant
from lifesign.probes.registry import Kinds
from lifesign.service.channels import ChannelDraft
from lifesign.service.drafts import MonitorDraft
from lifesign.service.routes import RouteDraft
from lifesign.service.services import Services

PREFIX = "/api/v1"
_BODIES: Sequence[type[BaseModel]] = (
    Problem, MonitorDraft, ChannelDraft, RouteDraft, TokenDraft, Acknowledgement, AcceptDraft, ReleaseDraft,
)  # fmt: skip


def build_api(
    services: Services,
    *,
    kinds: Kinds,
    channel_kinds: ChannelKinds,
    clock: Clock,
    config: Config,
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = (),
    metrics_public: bool = False,
) -> ASGIApp:
    """Everything for programs, to be served at the root.

    `trusted_proxies` are believed when they say who is calling; `metrics_public` opens `/metrics` to everybody.
    """
    app = build_rest(
        services, kinds=kinds, channel_kinds=channel_kinds, clock=clock, config=config,
        metrics_public=metrics_public,
    )  # fmt: skip
    return PingIngest(Shields(app), services.pings, trusted_proxies=trusted_proxies)


def build_rest(
    services: Services,
    *,
    kinds: Kinds,
    channel_kinds: ChannelKinds,
    clock: Clock,
    config: Config,
    metrics_public: bool = False,
) -> FastAPI:
    """The FastAPI application alone: all but the pings and the shields."""
    app = FastAPI(
        title="Lifesign", version=__version__, openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None, redoc_url=None, redirect_slashes=False,
        summary="Self-hosted monitoring that knows what is alive.",
    )  # fmt: skip
    app.state.doorkeeper = Doorkeeper(services.people, public_url=config.public_url)
    routers = (
        monitor_routes(services, clock),
        surface_routes(services),
        release_routes(services),
        seen_routes(services),
        alert_routes(services),
        channel_routes(services),
        route_routes(services),
        house_routes(services, kinds=kinds, channel_kinds=channel_kinds),
        event_routes(services),
    )
    for router in routers:
        app.include_router(router, prefix=PREFIX, responses=REFUSALS)
    app.state.policies = [policy for router in routers for policy in _policies(router)]
    app.include_router(metric_routes(services, is_public=metrics_public))
    app.include_router(health_routes(services))
    add_error_pages(app)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # FastAPI's own way to extend the schema
    return app


@dataclass(frozen=True, slots=True)
class Policy:
    """What one method of one route asks for; `grant` is None for a route without a policy (a test fails then)."""

    method: str
    path: str
    grant: Grant | None
    is_described: bool


def _policies(router: APIRouter) -> Iterator[Policy]:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            continue
        needs = [each.call for each in route.dependant.dependencies if isinstance(each.call, Needs)]
        grant = needs[0].grant if needs else None
        for method in sorted(route.methods or ()):
            yield Policy(method, PREFIX + route.path_format, grant, route.include_in_schema)


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the bodies' schemas and each route's grant."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        _, bodies = models_json_schema(
            [(model, "validation") for model in _BODIES],
            ref_template="#/components/schemas/{model}",
        )
        schemas.update(bodies["$defs"])
        schema["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "lsn_<kind>_<secret>"}
        }
        for policy in app.state.policies:
            if policy.is_described and policy.grant is not None:
                operation = schema["paths"][policy.path][policy.method.lower()]
                operation["security"] = [{"token": []}]
                operation["x-grant"] = policy.grant.value
        app.openapi_schema = schema
    return app.openapi_schema

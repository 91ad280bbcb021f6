"""The web face put together: `build_pages` gives the routes that the composition root mounts."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lifesign.clock import Clock
from lifesign.core.errors import NotFoundError
from lifesign.core.scope import Scope
from lifesign.probes.registry import Kinds
from lifesign.service.services import Services
from lifesign.web import (
    adding,
    alerts,
    channels,
    entrance,
    monitor,
    overview,
    settings,
    surfaces,
)
from lifesign.web.assets import load_assets
from lifesign.web.gate import page
from lifesign.web.render import Renderer
from lifesign.web.site import Site


def build_pages(
    services: Services,
    *,
    kinds: Kinds,
    clock: Clock,
    base_url: str = "",
    events_url: str = "/api/v1/events",
    config_file: str = "",
) -> list[Route]:
    """Every route of the web face, from `/` down; the last one takes whatever is left.

    `base_url` is how people reach this Lifesign from outside (empty: as the request came). `events_url`
    is the event stream of the REST face, which must take the session cookie; `config_file` is named
    where something is read-only because it is written there.
    """
    assets = load_assets()
    site = Site(
        services=services,
        kinds=kinds,
        clock=clock,
        assets=assets,
        renderer=Renderer(assets),
        base_url=base_url.rstrip("/"),
        events_url=events_url,
        config_file=config_file,
    )
    modules = (overview, adding, monitor, surfaces, alerts, channels, settings, entrance)
    made = [route for module in modules for route in module.routes(site)]
    return [assets.route(), *made, page(site, "/{path:path}", _lost)]


async def _lost(_site: Site, request: Request, _scope: Scope) -> Response:
    raise NotFoundError(
        f"There is no page {request.url.path}.", remedy="The overview leads to all there are."
    )

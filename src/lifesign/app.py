"""The composition root: opens everything in one exit stack, runs it in one task group, closes it in order.

Starting: database, network, bus, engine, services, faces; nothing is served before the engine has read what it
watches. Stopping: open requests end, pings that were accepted are committed, the engine drains, the database
closes last.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette

from lifesign.api.app import build_api
from lifesign.bus import LocalBus
from lifesign.channels.registry import load_channel_kinds
from lifesign.clock import Clock, SystemClock
from lifesign.config import Config, ConfigError, Loaded
from lifesign.engine.engine import Engine, EngineParts
from lifesign.engine.places import Limits
from lifesign.mcp.http import mcp_app
from lifesign.net import Net
from lifesign.probes.registry import load_kinds
from lifesign.service.declared import apply_declared
from lifesign.service.services import Services, build_services
from lifesign.store import KEY_FILE, Retention, Store, Vault, open_store
from lifesign.web.app import build_pages

ALIVE_FILE = "alive"
ALIVE_EVERY_S = 5.0

_log = structlog.get_logger(__name__)

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Application:
    """Everything, opened and put together; `run` is its life between a start and a stop."""

    config: Config
    store: Store
    services: Services
    engine: Engine
    asgi: ASGIApp

    async def run(self, stop: asyncio.Event) -> None:
        """Probe, judge, tell and take pings until `stop` is set and all is drained."""
        async with asyncio.TaskGroup() as tasks:
            desk = tasks.create_task(self.services.pings.run(), name="pings")
            marker = tasks.create_task(_mark_alive(self.config.data / ALIVE_FILE), name="alive")
            await self.engine.run(stop)
            desk.cancel()
            marker.cancel()


@asynccontextmanager
async def assemble(
    loaded: Loaded, *, clock: Clock | None = None, declare: bool = True
) -> AsyncIterator[Application]:
    """Open everything that a configuration asks for. Raises our own errors for what cannot be opened.

    With `declare` off, what the configuration file owns is left as it is stored: for commands that only look
    into a database and do not know the file that it was served with.
    """
    config, clock = loaded.config, clock or SystemClock()
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    kinds, channel_kinds = load_kinds(), load_channel_kinds()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(config.store_url, vault=_vault(config)))
        net = _net(loaded)
        bus = LocalBus()
        engine = Engine(
            EngineParts(
                store=store, bus=bus, net=net, clock=clock, kinds=kinds,
                channel_kinds=channel_kinds, base_url=config.public_url,
                limits=_limits(config), retention=_retention(config), away_s=_away_s(config.data),
                smtp=config.smtp, may_spawn=config.mcp.allow_commands,
            )
        )  # fmt: skip
        services = build_services(
            store=store, kinds=kinds, channel_kinds=channel_kinds, bus=bus, net=net, clock=clock,
            config=config, engine_gauges=engine.reading, engine_problems=engine.problems,
            config_file=loaded.file,
        )  # fmt: skip
        if declare:
            await apply_declared(services, store, loaded)
        mcp = await stack.enter_async_context(mcp_app(services, config=config, clock=clock))
        pages = build_pages(
            services, kinds=kinds, clock=clock,
            base_url=str(config.base_url or ""), config_file=str(loaded.file or ""),
        )  # fmt: skip
        api = build_api(
            services, kinds=kinds, channel_kinds=channel_kinds, clock=clock, config=config,
            trusted_proxies=config.trusted_proxies, metrics_public=config.metrics_public,
        )  # fmt: skip
        faces = _faces(api=api, mcp=mcp, pages=Starlette(routes=pages))
        yield Application(config, store, services, engine, faces)


def _faces(*, api: ASGIApp, mcp: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """One ASGI application of the faces; a plain look at the path, because pings come by the thousand."""
    of_api = ("/ping/", "/api/", "/metrics", "/healthz", "/readyz")

    async def route(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path.startswith(of_api):
            await api(scope, receive, send)
        elif path == "/mcp" or path.startswith(("/mcp/", "/.well-known/oauth")):
            await mcp(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return route


def _vault(config: Config) -> Vault:
    if config.secret_key is not None:
        return Vault.from_secret(config.secret_key.get_secret_value())
    return Vault.from_file(config.data / KEY_FILE)


def _net(loaded: Loaded) -> Net:
    egress = loaded.config.egress
    return Net.open(
        mode=egress.mode,
        nameservers=egress.servers or None,
        extra_ca_pem=_authorities(loaded),
        allow=[str(network) for network in egress.allow],
        deny=[str(network) for network in egress.deny],
    )


def _authorities(loaded: Loaded) -> str | None:
    """The further certificate authorities, as PEM. Raises ConfigError when they cannot be read."""
    path = loaded.config.egress.ca_file
    if path is None:
        return None
    try:
        pem = path.read_text("ascii")
        ssl.create_default_context(cadata=pem)
    except OSError as refusal:
        # An SSLError is an OSError as well, whose words are about OpenSSL's insides.
        is_pem = not isinstance(refusal, ssl.SSLError)
        reason = refusal.strerror if is_pem else "it holds no certificate in PEM form"
    except ValueError:
        reason = "it holds no certificate in PEM form"
    else:
        return pem
    message = f"The file {path} cannot be used: {reason}."
    raise ConfigError([loaded.problem_at(("egress", "ca_file"), message)])


def _limits(config: Config) -> Limits:
    limits = config.limits
    return Limits(
        total=limits.concurrency,
        per_tenant=limits.per_tenant,
        per_host=limits.per_host,
        per_lane=limits.commands,
    )


def _retention(config: Config) -> Retention:
    return Retention(
        **{name: getattr(config.retention, name) for name in type(config.retention).model_fields}
    )


def _away_s(data: Path) -> float:
    """Seconds since this data directory was last alive; 0 when it never was."""
    try:
        marked = (data / ALIVE_FILE).stat().st_mtime
    except FileNotFoundError:
        return 0.0
    return max(0.0, SystemClock().now().timestamp() - marked - ALIVE_EVERY_S)


async def _mark_alive(path: Path) -> None:
    """Touch a file every few seconds: how a later start knows how long nobody could reach us."""
    while True:
        try:
            await asyncio.to_thread(path.touch, mode=0o600)
        except OSError as refusal:
            _log.warning("alive_mark_failed", path=str(path), reason=str(refusal))
        await asyncio.sleep(ALIVE_EVERY_S)

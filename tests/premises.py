"""The services over a real store, with everything that stands still: for tests of `service` and `api`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifesign.bus import LocalBus
from lifesign.channels.registry import load_channel_kinds
from lifesign.clock import FakeClock
from lifesign.config import Config
from lifesign.core.batch import Event
from lifesign.core.scope import Grant, Scope, system_scope
from lifesign.net import Net
from lifesign.probes.registry import load_kinds
from lifesign.service.services import Services, build_services
from lifesign.store import Store, Vault, open_store

ADMIN = Scope(actor="ada@example.org", grant=Grant.ADMIN)
OPERATOR = Scope(actor="olga@example.org", grant=Grant.OPERATE)
READER = Scope(actor="rita@example.org", grant=Grant.READ)
PASSWORD = "a lamp, a rope, a whistle"


@dataclass
class Premises:
    """What a test may look at and turn."""

    services: Services
    store: Store
    bus: LocalBus
    clock: FakeClock
    config: Config
    figures: dict[str, float] = field(default_factory=dict)

    async def events(self) -> list[Event]:
        """Every stored event, oldest first."""
        return list(await self.store.events.since(system_scope("test"), 0, 1000))

    async def token(self, grant: Grant) -> str:
        """A fresh token with this grant."""
        view = await self.services.people.create_token(
            system_scope("test"), name=f"{grant.value} test", grant=grant, expires_in=None
        )
        return view.secret


@asynccontextmanager
async def open_premises(path: Path, **settings: Any) -> AsyncIterator[Premises]:
    config = Config(data=path, **settings)
    clock, bus, figures = FakeClock(), LocalBus(), {"runs_total": 7.0}

    def gauges() -> Mapping[str, float]:
        return figures

    async with open_store(config.store_url, vault=Vault(b"k" * 32)) as store:
        services = build_services(
            store=store, kinds=load_kinds(), channel_kinds=load_channel_kinds(), bus=bus,
            net=Net.open(), clock=clock, config=config, engine_gauges=gauges,
            config_file=Path("lifesign.yaml"),
        )  # fmt: skip
        yield Premises(services, store, bus, clock, config, figures)
        bus.close()

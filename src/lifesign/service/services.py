"""All operations in one bundle, built once by the composition root and given to every face."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lifesign.bus import Bus
from lifesign.channels.registry import ChannelKinds
from lifesign.clock import Clock
from lifesign.config import Config
from lifesign.net import Net
from lifesign.probes.registry import Kinds
from lifesign.service.alerts import Alerts
from lifesign.service.channels import Channels
from lifesign.service.drafts import DraftReader
from lifesign.service.live import Live
from lifesign.service.monitor_views import MonitorViews
from lifesign.service.monitors import Monitors
from lifesign.service.news import News
from lifesign.service.people import People
from lifesign.service.pings import PingAddresses, PingDesk
from lifesign.service.status import EngineGauges, Status
from lifesign.service.surfaces import Surfaces
from lifesign.service.trials import Trials
from lifesign.store import Store


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a face may ask for."""

    monitors: Monitors
    alerts: Alerts
    channels: Channels
    people: People
    status: Status
    live: Live
    pings: PingDesk
    trials: Trials
    surfaces: Surfaces
    kinds: Kinds


def build_services(
    *,
    store: Store,
    kinds: Kinds,
    channel_kinds: ChannelKinds,
    bus: Bus,
    net: Net,
    clock: Clock,
    config: Config,
    engine_gauges: EngineGauges,
    engine_problems: Callable[[], Sequence[str]] = tuple,
    config_file: Path | None = None,
) -> Services:
    """Put the operations together over what the composition root opened.

    `config_file` is only named in words, where something is read-only because the file owns it.
    """
    news = News(store=store, bus=bus, clock=clock)
    reader = DraftReader(kinds)
    addresses = PingAddresses()
    file = str(config_file) if config_file is not None else ""
    views = MonitorViews(store=store, reader=reader, clock=clock, public_url=config.public_url)
    database = None if config.database_url is not None else config.data / "lifesign.db"
    return Services(
        monitors=Monitors(
            store=store, clock=clock, reader=reader, views=views, news=news,
            addresses=addresses, config_file=file,
        ),
        alerts=Alerts(store=store, clock=clock, news=news),
        channels=Channels(
            store=store, clock=clock, news=news, kinds=channel_kinds, monitor_kinds=kinds, net=net,
            smtp=config.smtp, config_file=file,
        ),
        people=People(store=store, clock=clock),
        status=Status(store=store, clock=clock, gauges=engine_gauges, engine_problems=engine_problems, database_file=database),
        live=Live(store=store, bus=bus, clock=clock, room=config.limits.live_queue),
        pings=PingDesk(store=store, bus=bus, clock=clock, addresses=addresses),
        trials=Trials(
            store=store, reader=reader, net=net, clock=clock, may_spawn=config.mcp.allow_commands
        ),
        surfaces=Surfaces(store=store, clock=clock, news=news),
        kinds=kinds,
    )  # fmt: skip

"""All operations in one bundle, built once by the composition root and given to every face."""

from dataclasses import dataclass

from lifesign.bus import Bus
from lifesign.channels.registry import ChannelKinds
from lifesign.clock import Clock
from lifesign.config import Config
from lifesign.net import Net
from lifesign.probes.registry import Kinds
from lifesign.service.alerts import Alerts
from lifesign.service.channels import Channels
from lifesign.service.live import Live
from lifesign.service.monitors import Monitors
from lifesign.service.people import People
from lifesign.service.pings import PingDesk
from lifesign.service.status import EngineGauges, Status
from lifesign.service.trials import Trials


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


def build_services(
    *,
    store: object,
    kinds: Kinds,
    channel_kinds: ChannelKinds,
    bus: Bus,
    net: Net,
    clock: Clock,
    config: Config,
    engine_gauges: EngineGauges,
) -> Services:
    """Put the operations together over what the composition root opened."""
    raise NotImplementedError

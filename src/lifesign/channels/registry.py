"""What a channel kind is, what it is given and what it answers; kinds are found by scanning."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points

from pydantic import BaseModel

from lifesign.clock import Clock
from lifesign.config.model import SMTPConfig
from lifesign.core.messages import Alert, AlertEvent
from lifesign.net import Net

ENTRY_POINT_GROUP = "lifesign.channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be said. `id` is the same on every retry: receivers may drop what they know.

    `event` is None for a test message. `why` says in words why this channel is told.
    """

    id: str
    event: AlertEvent | None
    alert: Alert | None
    title: str
    text: str
    link: str
    monitor_name: str
    monitor_kind: str
    monitor_target: str
    tags: tuple[str, ...]
    occurred_at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one attempt: delivered, to be retried (not before `retry_after_s`), or refused for good."""

    delivered: bool
    permanent: bool = False
    retry_after_s: float | None = None
    detail: str = ""
    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What a channel is given besides its settings; `deadline` is an instant of the loop clock.

    `smtp` is the operator's mail server, for email channels that name none of their own.
    """

    net: Net
    clock: Clock
    deadline: float
    smtp: SMTPConfig | None = None


ChannelFunction = Callable[..., Awaitable[Receipt]]
"""`async (message: Message, settings, ctx: ChannelContext) -> Receipt`; it never raises for a bad answer."""


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One way to reach people, whole."""

    name: str
    title: str
    settings: type[BaseModel]
    send: ChannelFunction
    target: Callable[[BaseModel], str]


class UnknownChannelKindError(KeyError):
    """No channel kind of that name is registered. A `KeyError`, so that `in` and `get` of a mapping work."""

    def __str__(self) -> str:
        return str(self.args[0])


_REGISTERED = "__lifesign_channel__"


def channel(
    name: str, *, settings: type[BaseModel], title: str, target: Callable[..., str]
) -> Callable[[ChannelFunction], ChannelFunction]:
    """Register a channel kind; `target(settings)` is what people see of it (host or address, no secret)."""

    def register(function: ChannelFunction) -> ChannelFunction:
        kind = ChannelKind(name=name, title=title, settings=settings, send=function, target=target)
        setattr(function, _REGISTERED, kind)
        return function

    return register


class ChannelKinds(Mapping[str, ChannelKind]):
    """The channel kinds that this process knows, by name."""

    def __init__(self, kinds: Mapping[str, ChannelKind]) -> None:
        self._kinds = dict(sorted(kinds.items()))

    def __getitem__(self, name: str) -> ChannelKind:
        try:
            return self._kinds[name]
        except KeyError:
            known = ", ".join(self._kinds)
            raise UnknownChannelKindError(
                f"There is no channel kind {name!r}. Known: {known}."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def load_channel_kinds() -> ChannelKinds:
    """Import every module of this package and every entry point, and collect what they registered."""
    import lifesign.channels as package  # noqa: PLC0415 - the package is being scanned, not used

    found: dict[str, ChannelKind] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "registry":
            found |= _kinds_of(importlib.import_module(f"{package.__name__}.{module.name}"))
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found |= _kinds_of(entry.load())
    return ChannelKinds(found)


def _kinds_of(module: object) -> dict[str, ChannelKind]:
    kinds = (getattr(value, _REGISTERED, None) for value in vars(module).values())
    return {kind.name: kind for kind in kinds if isinstance(kind, ChannelKind)}

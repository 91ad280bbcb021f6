"""What the configuration file declares, made so: its monitors, channels and routes are added, changed, removed.

Only what the file owns is touched. Ids are made of names, so that the same file always means the same things.
Everything is checked before anything is written: a file with one wrong setting changes nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lifesign.config import ConfigError, Loaded, Problem
from lifesign.config.declared import (
    ChannelConfig,
    MonitorConfig,
    PolicyConfig,
    RouteConfig,
    seconds_or_never,
)
from lifesign.config.problems import nearest
from lifesign.core.errors import ConflictError, InvalidError, NotFoundError
from lifesign.core.model import DEFAULT_TENANT, Owner
from lifesign.core.scope import Scope, system_scope
from lifesign.service.keys import fixed_id
from lifesign.service.services import Services
from lifesign.service.settings import SettingsError, parse_settings
from lifesign.store import Store
from lifesign.store.monitors import slugify

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """How much of the file was new, changed and gone."""

    added: int = 0
    changed: int = 0
    removed: int = 0


async def apply_declared(services: Services, store: Store, loaded: Loaded) -> Applied:
    """Make the stored things that the file owns what the file says.

    Raises ConfigError, with file, line and column of every problem, before anything is written.
    """
    scope = system_scope("the configuration file")
    _check(services, loaded, await _strays(store, loaded, scope))
    sync = _Sync(services, store, loaded, scope)
    await sync.channels()
    await sync.routes()
    await sync.monitors()
    await sync.forget_channels()
    return Applied(sync.added, sync.changed, sync.removed)


def _check(services: Services, loaded: Loaded, strays: AbstractSet[str]) -> None:
    problems: list[Problem] = []
    for index, monitor in enumerate(loaded.config.monitors):
        problems += _monitor_problems(services, loaded, monitor, ("monitors", index))
    for index, channel in enumerate(loaded.config.channels):
        problems += _channel_problems(services, loaded, channel, ("channels", index))
    problems += _route_problems(services, loaded)
    problems += _stray_problems(loaded, strays)
    if problems:
        raise ConfigError(problems)


def _monitor_problems(
    services: Services, loaded: Loaded, monitor: MonitorConfig, loc: Loc
) -> Iterator[Problem]:
    """What is wrong with one monitor; its settings are judged here, so that no hidden value is shown."""
    kind, settings = monitor.kind, dict(monitor.settings)
    if not kind and (guessed := services.trials.guess(monitor.target)) is not None:
        kind, settings = guessed[0], {**guessed[1], **settings}
    if kind in services.kinds and (monitor.kind == "" or not monitor.target):
        model = services.kinds[kind].settings
        try:
            parse_settings(model, settings)
        except SettingsError as error:
            yield from _settings_problems(loaded, model, error, (*loc, "settings"))
    try:
        services.monitors.check(monitor_draft(monitor))
    except InvalidError as error:
        for field, reason in error.problems:
            if not field.startswith("settings"):
                yield loaded.problem_at((*loc, *_loc_of(field)), _sentence(reason))


def _channel_problems(
    services: Services, loaded: Loaded, channel: ChannelConfig, loc: Loc
) -> Iterator[Problem]:
    kinds = services.channels.kinds()
    if channel.kind not in kinds:
        known = f"There is no such kind of channel; known are {', '.join(kinds)}."
        yield loaded.problem_at((*loc, "kind"), known, suggestion=nearest(channel.kind, kinds))
        return
    model = kinds[channel.kind].settings
    try:
        parse_settings(model, channel.settings)
    except SettingsError as error:
        yield from _settings_problems(loaded, model, error, (*loc, "settings"))


def _settings_problems(
    loaded: Loaded, model: type[BaseModel], error: SettingsError, loc: Loc
) -> Iterator[Problem]:
    if error.cause is not None:
        yield from loaded.problems_in(error.cause, model, at=loc)
    else:
        for _, reason in error.problems:
            yield loaded.problem_at(loc, _sentence(reason))


def _route_problems(services: Services, loaded: Loaded) -> Iterator[Problem]:
    """What is wrong with the routes: one that names what cannot exist would tell nobody, in silence."""
    names = {channel.name for channel in loaded.config.channels}
    kinds = services.kinds
    for index, route in enumerate(loaded.config.routes):
        for place, name in enumerate(route.channels):
            if name not in names:
                reason = f"No channel of this file is called {name!r}."
                at: Loc = ("routes", index, "channels", place)
                yield loaded.problem_at(at, reason, suggestion=_alike(name, names))
        for place, kind in enumerate(route.kinds):
            if kind not in kinds:
                reason = f"There is no such kind; known are {', '.join(sorted(kinds))}."
                at = ("routes", index, "kinds", place)
                yield loaded.problem_at(at, reason, suggestion=nearest(kind, kinds))


async def _strays(store: Store, loaded: Loaded, scope: Scope) -> AbstractSet[str]:
    """What routes name as monitors and what neither this file nor anybody else has."""
    names = {monitor.name for monitor in loaded.config.monitors}
    ours = names | {slugify(name) for name in names}
    named = {name for route in loaded.config.routes for name in route.monitors}
    strays: set[str] = set()
    for name in named - ours:
        try:
            stored = await store.monitors.get(scope, name)
        except NotFoundError:
            strays.add(name)
        else:
            # One that has left the file is about to be removed.
            strays |= {name} if stored.owner is Owner.FILE and stored.name not in names else set()
    return strays


def _stray_problems(loaded: Loaded, strays: AbstractSet[str]) -> Iterator[Problem]:
    names = {monitor.name for monitor in loaded.config.monitors}
    for index, route in enumerate(loaded.config.routes):
        for place, name in enumerate(route.monitors):
            if name in strays:
                reason = f"No monitor is called {name!r}."
                at: Loc = ("routes", index, "monitors", place)
                yield loaded.problem_at(at, reason, suggestion=_alike(name, names))


def _alike(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant, as it is written; `nearest` looks at small letters only."""
    written = {each.lower(): each for each in names}
    return written.get(nearest(name, written), "")


def monitor_draft(monitor: MonitorConfig) -> dict[str, object]:
    """The draft that a monitor of the file stands for."""
    said = monitor.model_dump(exclude_unset=True, exclude={"policy", "runbook_url"})
    said |= {"policy": _policy_draft(monitor.policy)} if monitor.policy.model_fields_set else {}
    if monitor.runbook_url is not None:
        said["runbook_url"] = str(monitor.runbook_url)
    return {name: value for name, value in said.items() if value is not None}


def _policy_draft(policy: PolicyConfig) -> dict[str, object]:
    said = policy.model_dump(exclude_none=True, exclude={"recheck", "degraded", "drift_accept"})
    if policy.recheck is not None:
        said["recheck_s"] = policy.recheck.total_seconds()
    if policy.degraded is not None:
        said["degraded_ms"] = policy.degraded.total_seconds() * 1000
    if policy.drift_accept is not None:
        said["drift_accept_s"] = seconds_or_never(policy.drift_accept)
    return said


def route_draft(route: RouteConfig, monitors: Mapping[str, str]) -> dict[str, object]:
    """The draft that a route of the file stands for; `monitors` maps names of the file to ids."""
    draft = route.model_dump()
    draft["monitors"] = tuple([monitors.get(name, name) for name in route.monitors])
    return draft


class _Sync:
    """One pass over the file; counts what it did."""

    def __init__(self, services: Services, store: Store, loaded: Loaded, scope: Scope) -> None:
        self._services = services
        self._store = store
        self._loaded = loaded
        self._scope = scope
        self.added = self.changed = self.removed = 0

    async def channels(self) -> None:
        """Add and change channels; those that left the file go last, when no route names them any more."""
        stored = {each.id: each for each in await self._store.channels.list(self._scope)}
        api = self._services.channels
        for index, channel in enumerate(self._loaded.config.channels):
            id = _id("chn", channel.name)
            draft = channel.model_dump()
            with _placed(self._loaded, ("channels", index)):
                if id not in stored:
                    await api.add(self._scope, draft, owner=Owner.FILE, id=id)
                    self.added += 1
                    continue
                model = api.kinds()[channel.kind].settings
                draft["settings"] = with_made(model, channel.settings, stored[id].settings)
                view = await api.replace(self._scope, id, draft, owner=Owner.FILE)
                self.changed += view.version != stored[id].version

    async def routes(self) -> None:
        """Add, change and remove routes."""
        stored = {each.id: each for each in await self._store.channels.list_routes(self._scope)}
        api = self._services.channels
        names = {each.name: _id("mon", each.name) for each in self._loaded.config.monitors}
        for index, route in enumerate(self._loaded.config.routes):
            id = _id("rte", route.name)
            draft = route_draft(route, names)
            with _placed(self._loaded, ("routes", index)):
                if id not in stored:
                    await api.add_route(self._scope, draft, owner=Owner.FILE, id=id)
                    self.added += 1
                    continue
                saved = await api.replace_route(self._scope, id, draft, owner=Owner.FILE)
                self.changed += saved.version != stored[id].version
        kept = {_id("rte", route.name) for route in self._loaded.config.routes}
        for id, route_ in stored.items():
            if route_.owner is Owner.FILE and id not in kept:
                await api.remove_route(self._scope, id, owner=Owner.FILE)
                self.removed += 1

    async def monitors(self) -> None:
        """Add, change and remove monitors."""
        stored = {
            each.id: each
            for each in await self._store.monitors.all_active()
            if each.tenant == self._scope.tenant and each.owner is Owner.FILE
        }
        api, drafts = self._services.monitors, {}
        for monitor in self._loaded.config.monitors:
            id = _id("mon", monitor.name)
            drafts[id] = monitor_draft(monitor)
            old = stored.get(id)
            if old is not None and old.kind in self._services.kinds:
                model = self._services.kinds[old.kind].settings
                drafts[id]["settings"] = with_made(model, monitor.settings, old.settings)
        with _placed(self._loaded, ("monitors",)):
            added, changed = await api.declare(self._scope, drafts, stored)
        self.added += added
        self.changed += changed
        gone = [monitor for id, monitor in stored.items() if id not in drafts]
        await api.retire(self._scope, gone)
        self.removed += len(gone)

    async def forget_channels(self) -> None:
        """Remove the channels that left the file. One that a route of somebody else still names is kept."""
        kept = {_id("chn", channel.name) for channel in self._loaded.config.channels}
        for channel in await self._store.channels.list(self._scope):
            if channel.owner is Owner.FILE and channel.id not in kept:
                await self._services.channels.remove(
                    self._scope, channel.id, owner=Owner.FILE, even_if_named=True
                )
                self.removed += 1


def with_made(
    model: type[BaseModel], given: Mapping[str, object], stored: Mapping[str, object]
) -> dict[str, object]:
    """What the file gives, with what a kind made up by itself (a ping key, a signing secret) as it was."""
    made = {
        name: stored[name]
        for name, info in model.model_fields.items()
        if name not in given and name in stored and _is_made_up(info)
    }
    return {**made, **given}


def _is_made_up(info: FieldInfo) -> bool:
    """Whether the default is another one each time, and not just an empty list."""
    if info.default_factory is None:
        return False
    values = [info.get_default(call_default_factory=True, validated_data={}) for _ in range(2)]
    return bool(values[0] != values[1])


def _id(prefix: str, name: str) -> str:
    return fixed_id(prefix, DEFAULT_TENANT, name)


@contextmanager
def _placed(loaded: Loaded, loc: Loc) -> Iterator[None]:
    """Give what is refused its line and column."""
    try:
        yield
    except (ConflictError, InvalidError) as error:
        raise ConfigError([loaded.problem_at(loc, str(error))]) from error


def _loc_of(field: str) -> Loc:
    """`conditions[1]` as a location: `("conditions", 1)`."""
    parts = re.findall(r"[^.\[\]]+", field)
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def _sentence(reason: str) -> str:
    text = reason if reason.endswith((".", "?")) else f"{reason}."
    return f"{text[:1].upper()}{text[1:]}"

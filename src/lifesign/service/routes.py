"""Routes: who is told about which alerts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from lifesign.bus import ChangeOf
from lifesign.config.problems import nearest
from lifesign.config.types import one_line
from lifesign.core.errors import InvalidError, NotFoundError
from lifesign.core.messages import AlertEvent, Route
from lifesign.core.model import Owner, Severity
from lifesign.core.scope import Grant, Scope
from lifesign.probes.registry import Kinds
from lifesign.service.access import require, require_writable
from lifesign.service.drafts import Tag, words
from lifesign.service.keys import new_id
from lifesign.service.news import News
from lifesign.service.settings import Problems, pydantic_problems, sentences
from lifesign.store import MonitorQuery, Store

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(one_line),
]
Names = Annotated[tuple[Name, ...], BeforeValidator(words)]


class RouteDraft(BaseModel):
    """A route as it is written: every field that is given must match, by any of its values."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Name = Field(default="", description="What people call it; unique.")
    channels: Names = Field(
        default=(), max_length=50, description="Ids or names of the channels told."
    )
    min_severity: Severity = Field(
        default=Severity.NOTICE, description="Alerts milder than this are passed over."
    )
    kinds: Names = Field(default=(), max_length=50, description="Kinds of monitors.")
    tags: Annotated[tuple[Tag, ...], BeforeValidator(words)] = Field(
        default=(), max_length=50, description="Tags of monitors."
    )
    monitors: Names = Field(default=(), max_length=500, description="Ids or slugs of monitors.")
    events: Annotated[tuple[AlertEvent, ...], BeforeValidator(words)] = Field(
        default=(), description="What happened to the alert; empty means everything."
    )
    enabled: bool = Field(default=True, description="Whether it is used.")


class Routes:
    """The operations on routes."""

    def __init__(self, *, store: Store, news: News, monitor_kinds: Kinds, config_file: str) -> None:
        self._store = store
        self._news = news
        self._monitor_kinds = monitor_kinds
        self._file = config_file

    async def add_route(
        self, scope: Scope, draft: Mapping[str, object], *, owner: Owner, id: str = ""
    ) -> Route:
        """A new route. Raises InvalidError with problems, ConflictError for a taken name."""
        require(scope, Grant.ADMIN)
        parsed = _parsed(draft)
        missing = [
            (name, "is missing") for name in ("name", "channels") if not getattr(parsed, name)
        ]
        if missing:
            raise _invalid(tuple(missing))
        base = Route(id=id or new_id("rte"), tenant=scope.tenant, name="", channels=(), owner=owner)
        route = await self._with(scope, base, parsed)
        stored = await self._store.channels.add_route(scope, route)
        await self._tell_route(scope, stored, "route.added")
        return stored

    async def update_route(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> Route:
        """Change what `changes` names. Raises NotFoundError, ReadOnlyError, InvalidError, StaleError."""
        require(scope, Grant.ADMIN)
        stored = await self._writable_route(scope, id, owner)
        parsed = _parsed(changes)
        if "channels" in parsed.model_fields_set and not parsed.channels:
            raise _invalid((("channels", "is empty: a route tells at least one channel"),))
        changed = await self._with(scope, stored, parsed)
        if changed == stored and expected_version in {None, stored.version}:
            return stored
        saved = await self._store.channels.replace_route(
            scope, changed, expected_version=expected_version
        )
        await self._tell_route(scope, saved, "route.changed")
        return saved

    async def replace_route(
        self, scope: Scope, id: str, draft: Mapping[str, object], *, owner: Owner
    ) -> Route:
        """Make it what a whole draft says; what the draft leaves out goes back to its default."""
        defaults = RouteDraft().model_dump()
        return await self.update_route(scope, id, {**defaults, **draft}, owner=owner)

    async def remove_route(self, scope: Scope, id: str, *, owner: Owner = Owner.API) -> None:
        """Remove it. Raises NotFoundError, ReadOnlyError."""
        require(scope, Grant.ADMIN)
        stored = await self._writable_route(scope, id, owner)
        await self._store.channels.remove_route(scope, id)
        await self._tell_route(scope, stored, "route.removed", what=ChangeOf.REMOVED)

    async def get_route(self, scope: Scope, id: str) -> Route:
        """One route. Raises NotFoundError."""
        require(scope, Grant.READ)
        return await self._store.channels.get_route(scope, id)

    async def list_routes(self, scope: Scope) -> tuple[Route, ...]:
        """All routes, by name."""
        require(scope, Grant.READ)
        return await self._store.channels.list_routes(scope)

    async def _with(self, scope: Scope, route: Route, parsed: RouteDraft) -> Route:
        """The route with what the draft says; channels that were named stand under their ids."""
        said = parsed.model_fields_set & {field.name for field in fields(Route)}
        changed = replace(route, **{name: getattr(parsed, name) for name in said})
        known = await self._store.channels.list(scope)
        ids = {each.name: each.id for each in known} | {each.id: each.id for each in known}
        problems = list(_unknown("channels", parsed.channels, ids, what="channel"))
        problems += _unknown("kinds", parsed.kinds, self._monitor_kinds, what="kind of monitor")
        # A monitor of the route that was removed since does not stand in the way of other changes. What the file
        # names was checked with the whole file, of which this may be the first part that is stored.
        if route.owner is not Owner.FILE:
            new = {name for name in parsed.monitors if name not in route.monitors}
            problems += await self._unknown_monitors(scope, parsed.monitors, new)
        if problems:
            raise _invalid(tuple(problems))
        if "channels" not in said:
            return changed
        return replace(
            changed, channels=tuple(dict.fromkeys(ids[name] for name in parsed.channels))
        )

    async def _unknown_monitors(
        self, scope: Scope, given: Sequence[str], asked: AbstractSet[str]
    ) -> Problems:
        """A route that names what does not exist would tell nobody, in silence."""
        gone: dict[str, str] = {}
        for name in asked:
            try:
                await self._store.monitors.get(scope, name)
            except NotFoundError:
                gone[name] = await self._alike(scope, name)
        return tuple(
            (f"monitors[{index}]", _is_no(name, "monitor", gone[name]))
            for index, name in enumerate(given)
            if name in gone
        )

    async def _alike(self, scope: Scope, name: str) -> str:
        """The slug of the monitor that was probably meant: one of that name, or one that is spelled alike."""
        found = await self._store.monitors.list(scope, MonitorQuery(text=name, limit=2))
        named = [row.monitor.slug for row in found.items if row.monitor.name == name]
        if named:
            return named[0]
        page = await self._store.monitors.list(scope, MonitorQuery(sort="name", limit=500))
        return nearest(name, [row.monitor.slug for row in page.items])

    async def _writable_route(self, scope: Scope, id: str, by: Owner) -> Route:
        stored = await self._store.channels.get_route(scope, id)
        require_writable(stored.owner, what=f"The route {stored.name}", by=by, file=self._file)
        return stored

    async def _tell_route(
        self, scope: Scope, route: Route, type: str, *, what: ChangeOf = ChangeOf.SAVED
    ) -> None:
        data = {"id": route.id, "name": route.name}
        await self._news.tell(scope, type, kind="route", id=route.id, data=data, what=what)


def _unknown(
    field: str, given: Sequence[str], known: Iterable[str], *, what: str
) -> Iterator[tuple[str, str]]:
    written = {each.lower(): each for each in known}
    names = set(written.values())
    for index, name in enumerate(given):
        if name not in names:
            hint = written.get(nearest(name, written), "")
            yield f"{field}[{index}]", _is_no(name, what, hint)


def _is_no(name: str, what: str, hint: str) -> str:
    return f"{name!r} is no {what}" + (f". Did you mean {hint!r}?" if hint else "")


def _parsed(draft: Mapping[str, object]) -> RouteDraft:
    try:
        return RouteDraft.model_validate(dict(draft))
    except ValidationError as error:
        raise _invalid(pydantic_problems(error, RouteDraft)) from None


def _invalid(problems: Problems) -> InvalidError:
    said = sentences(problems)
    return InvalidError(f"The route cannot be used as written: {said}", problems=problems)

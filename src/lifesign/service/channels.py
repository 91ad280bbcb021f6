"""Channels: where messages go. Added, changed, tried out; their secrets go in and never come out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lifesign.bus import ChangeOf
from lifesign.channels.registry import ChannelContext, ChannelKind, ChannelKinds, Message
from lifesign.clock import Clock
from lifesign.config.model import SMTPConfig
from lifesign.config.problems import nearest
from lifesign.core.errors import ConflictError, InvalidError
from lifesign.core.messages import Channel
from lifesign.core.model import Owner
from lifesign.core.scope import Grant, Scope
from lifesign.net import Net
from lifesign.probes.registry import Kinds
from lifesign.service.access import require, require_writable
from lifesign.service.keys import new_id
from lifesign.service.news import News
from lifesign.service.routes import Name, Routes
from lifesign.service.settings import (
    SHOWN,
    Problems,
    SettingsError,
    parse_settings,
    pydantic_problems,
    sentences,
    shown_settings,
    stored_settings,
    with_kept_secrets,
)
from lifesign.service.views import ChannelView
from lifesign.store import Store

TEST_TIMEOUT_S = 20.0
MAX_TESTS = 10


class ChannelDraft(BaseModel):
    """A channel as it is written."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Name = Field(default="", description="What people call it; unique.")
    kind: str = Field(default="", max_length=64, description="webhook, email, apprise, …")
    settings: dict[str, Any] = Field(default_factory=dict, description="The settings of the kind.")
    enabled: bool = Field(default=True, description="Whether it is used.")


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What came of a test message."""

    delivered: bool
    detail: str
    duration_ms: float


class Channels(Routes):
    """The operations on channels, and on the routes that name them."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        news: News,
        kinds: ChannelKinds,
        monitor_kinds: Kinds,
        net: Net,
        smtp: SMTPConfig,
        config_file: str,
    ) -> None:
        super().__init__(
            store=store, news=news, monitor_kinds=monitor_kinds, config_file=config_file
        )
        self._clock = clock
        self._kinds = kinds
        self._net = net
        self._smtp = smtp
        self._testing = 0

    def kinds(self) -> ChannelKinds:
        """The channel kinds that exist."""
        return self._kinds

    async def add(
        self, scope: Scope, draft: Mapping[str, object], *, owner: Owner, id: str = ""
    ) -> ChannelView:
        """A new channel from `name, kind, settings, enabled`.

        A secret that its kind made by itself is in clear in this one answer, because nobody could use it otherwise.
        Raises InvalidError with problems, ConflictError for a taken name.
        """
        require(scope, Grant.ADMIN)
        parsed = _parsed(draft)
        missing = [(name, "is missing") for name in ("name", "kind") if not getattr(parsed, name)]
        if missing:
            raise _invalid(tuple(missing))
        kind = self._kind(parsed.kind)
        settings = self._settings(kind, parsed.settings, kept={})
        now = self._clock.now()
        channel = Channel(
            id=id or new_id("chn"), tenant=scope.tenant, name=parsed.name, kind=kind.name,
            settings=stored_settings(settings), enabled=parsed.enabled, owner=owner,
            created_at=now, updated_at=now,
        )  # fmt: skip
        stored = await self._store.channels.add(scope, channel)
        await self._tell(scope, stored, "channel.added")
        view = self._view(stored)
        made = {key: value for key, value in stored.settings.items() if key not in parsed.settings}
        shown = {
            key: made.get(key, value) if value == SHOWN else value
            for key, value in view.settings.items()
        }
        return replace(view, settings=shown)

    async def update(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> ChannelView:
        """Change what `changes` names; `***` for a secret keeps it, null for a setting takes it out.

        Raises NotFoundError, ReadOnlyError, InvalidError, StaleError.
        """
        require(scope, Grant.ADMIN)
        stored = await self._store.channels.get(scope, id)
        require_writable(stored.owner, what=f"The channel {stored.name}", by=owner, file=self._file)
        parsed = _parsed(changes)
        if "kind" in parsed.model_fields_set and parsed.kind != stored.kind:
            raise _invalid((("kind", f"is {stored.kind} and cannot change; add a new channel"),))
        merged = {**stored.settings, **parsed.settings}
        given = {k: v for k, v in merged.items() if parsed.settings.get(k, ...) is not None}
        settings = self._settings(self._kind(stored.kind), given, kept=stored.settings)
        said = parsed.model_fields_set
        changed = replace(
            stored,
            name=parsed.name if "name" in said else stored.name,
            enabled=parsed.enabled if "enabled" in said else stored.enabled,
            settings=stored_settings(settings),
        )
        return await self._replaced(scope, changed, expected_version)

    async def replace(
        self, scope: Scope, id: str, draft: Mapping[str, object], *, owner: Owner
    ) -> ChannelView:
        """Make it what a whole draft says. Raises as `update` does."""
        require(scope, Grant.ADMIN)
        stored = await self._store.channels.get(scope, id)
        parsed = _parsed(draft)
        kind = self._kind(parsed.kind)
        settings = self._settings(kind, parsed.settings, kept=stored.settings)
        changed = replace(
            stored, name=parsed.name, kind=kind.name, settings=stored_settings(settings),
            enabled=parsed.enabled, owner=owner,
        )  # fmt: skip
        if changed == stored:
            return self._view(stored)
        return await self._replaced(scope, changed, None)

    async def remove(
        self, scope: Scope, id: str, *, owner: Owner = Owner.API, even_if_named: bool = False
    ) -> None:
        """Remove it. Raises NotFoundError, ReadOnlyError, and ConflictError while a route names it."""
        require(scope, Grant.ADMIN)
        stored = await self._store.channels.get(scope, id)
        require_writable(stored.owner, what=f"The channel {stored.name}", by=owner, file=self._file)
        users = [
            each.name
            for each in await self._store.channels.list_routes(scope)
            if id in each.channels
        ]
        if users and not even_if_named:
            raise ConflictError(
                f"The channel {stored.name} is named by the routes {', '.join(users)}.",
                remedy="Take it out of these routes first.",
            )
        await self._store.channels.remove(scope, id)
        await self._tell(scope, stored, "channel.removed", what=ChangeOf.REMOVED)

    async def get(self, scope: Scope, id: str) -> ChannelView:
        """One channel. Raises NotFoundError."""
        require(scope, Grant.READ)
        return self._view(await self._store.channels.get(scope, id))

    async def list(self, scope: Scope) -> tuple[ChannelView, ...]:
        """All channels, by name."""
        require(scope, Grant.READ)
        return tuple([self._view(each) for each in await self._store.channels.list(scope)])

    async def test(self, scope: Scope, id: str) -> DeliveryResult:
        """Send a test message through it. Raises NotFoundError, InvalidError for settings that no longer do."""
        require(scope, Grant.ADMIN)
        channel = await self._store.channels.get(scope, id)
        kind = self._kind(channel.kind)
        settings = self._settings(kind, channel.settings, kept=channel.settings)
        return await self._send_test(scope, kind, settings)

    async def try_settings(
        self, scope: Scope, kind: str, settings: Mapping[str, object], *, id: str = ""
    ) -> DeliveryResult:
        """Send a test message with settings that are not saved; with an `id`, `***` means that channel's secrets."""
        require(scope, Grant.ADMIN)
        kept = (await self._store.channels.get(scope, id)).settings if id else {}
        known = self._kind(kind)
        return await self._send_test(scope, known, self._settings(known, settings, kept=kept))

    async def _send_test(
        self, scope: Scope, kind: ChannelKind, settings: BaseModel
    ) -> DeliveryResult:
        if self._testing >= MAX_TESTS:
            raise ConflictError("Many test messages are under way.", remedy="Try again soon.")
        began_s = self._clock.monotonic()
        deadline = asyncio.get_running_loop().time() + TEST_TIMEOUT_S
        ctx = ChannelContext(net=self._net, clock=self._clock, deadline=deadline, smtp=self._smtp)
        self._testing += 1
        try:
            async with asyncio.timeout_at(deadline + 0.5):
                receipt = await kind.send(self._test_message(scope), settings, ctx)
        except TimeoutError:
            duration_ms = (self._clock.monotonic() - began_s) * 1000
            detail = f"{kind.target(settings)} did not answer within {TEST_TIMEOUT_S:g} s."
            return DeliveryResult(delivered=False, detail=detail, duration_ms=duration_ms)
        finally:
            self._testing -= 1
        duration_ms = (self._clock.monotonic() - began_s) * 1000
        return DeliveryResult(receipt.delivered, receipt.detail, duration_ms)

    def _test_message(self, scope: Scope) -> Message:
        return Message(
            id=new_id("msg"),
            event=None,
            alert=None,
            title="Test message from Lifesign",
            text=f"{scope.actor} asked for this test message. If you can read it, this channel works.",
            link="",
            monitor_name="",
            monitor_kind="",
            monitor_target="",
            tags=(),
            occurred_at=self._clock.now(),
            why="somebody asked for a test message",
        )

    async def _replaced(
        self, scope: Scope, channel: Channel, expected_version: int | None
    ) -> ChannelView:
        stored = await self._store.channels.replace(
            scope,
            replace(channel, updated_at=self._clock.now()),
            expected_version=expected_version,
        )
        await self._tell(scope, stored, "channel.changed")
        return self._view(stored)

    async def _tell(
        self, scope: Scope, channel: Channel, type: str, *, what: ChangeOf = ChangeOf.SAVED
    ) -> None:
        data = {"id": channel.id, "name": channel.name, "kind": channel.kind}
        await self._news.tell(scope, type, kind="channel", id=channel.id, data=data, what=what)

    def _kind(self, name: str) -> ChannelKind:
        if name not in self._kinds:
            hint = nearest(name, self._kinds)
            reason = f"is unknown; known are {', '.join(self._kinds)}"
            raise _invalid((("kind", reason + (f". Did you mean {hint!r}?" if hint else "")),))
        return self._kinds[name]

    def _settings(
        self, kind: ChannelKind, given: Mapping[str, object], *, kept: Mapping[str, object]
    ) -> BaseModel:
        try:
            return parse_settings(kind.settings, with_kept_secrets(given, kept))
        except SettingsError as error:
            raise _invalid(error.problems) from error

    def _view(self, channel: Channel) -> ChannelView:
        """The view; of a channel that no kind understands any more, only the names of its settings."""
        target = ""
        shown: dict[str, object] = dict.fromkeys(channel.settings, SHOWN)
        if channel.kind in self._kinds:
            kind = self._kinds[channel.kind]
            try:
                settings = parse_settings(kind.settings, channel.settings)
            except SettingsError:
                pass
            else:
                target, shown = kind.target(settings), shown_settings(settings)
        return ChannelView(
            id=channel.id,
            name=channel.name,
            kind=channel.kind,
            target=target,
            settings=shown,
            enabled=channel.enabled,
            owner=channel.owner,
            read_only=channel.owner is Owner.FILE,
            version=channel.version,
        )


def _parsed(draft: Mapping[str, object]) -> ChannelDraft:
    try:
        return ChannelDraft.model_validate(dict(draft))
    except ValidationError as error:
        raise _invalid(pydantic_problems(error, ChannelDraft)) from None


def _invalid(problems: Problems) -> InvalidError:
    said = sentences(problems)
    return InvalidError(f"The channel cannot be used as written: {said}", problems=problems)

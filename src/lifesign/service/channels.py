"""Channels and routes: where messages go, and who is told of what."""

from collections.abc import Mapping
from dataclasses import dataclass

from lifesign.channels.registry import ChannelKinds
from lifesign.core.model import Owner, Route
from lifesign.core.scope import Scope
from lifesign.service.views import ChannelView


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What came of a test message."""

    delivered: bool
    detail: str
    duration_ms: float


class Channels:
    """The operations on channels and routes."""

    def kinds(self) -> ChannelKinds:
        """The channel kinds that exist."""
        raise NotImplementedError

    async def add(self, scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> ChannelView:
        """A new channel from `name, kind, settings, enabled`."""
        raise NotImplementedError

    async def update(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> ChannelView:
        """Change what `changes` names."""
        raise NotImplementedError

    async def remove(self, scope: Scope, id: str) -> None:
        """Remove it. Raises ConflictError while a route names it."""
        raise NotImplementedError

    async def get(self, scope: Scope, id: str) -> ChannelView:
        """One channel."""
        raise NotImplementedError

    async def list(self, scope: Scope) -> tuple[ChannelView, ...]:
        """All channels, by name."""
        raise NotImplementedError

    async def test(self, scope: Scope, id: str) -> DeliveryResult:
        """Send a test message through it."""
        raise NotImplementedError

    async def try_settings(
        self, scope: Scope, kind: str, settings: Mapping[str, object]
    ) -> DeliveryResult:
        """Send a test message with settings that are not saved."""
        raise NotImplementedError

    async def add_route(self, scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> Route:
        """A new route from `name, channels, min_severity, kinds, tags, monitors, events, enabled`."""
        raise NotImplementedError

    async def update_route(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> Route:
        """Change what `changes` names."""
        raise NotImplementedError

    async def remove_route(self, scope: Scope, id: str) -> None:
        """Remove it."""
        raise NotImplementedError

    async def list_routes(self, scope: Scope) -> tuple[Route, ...]:
        """All routes, by name."""
        raise NotImplementedError

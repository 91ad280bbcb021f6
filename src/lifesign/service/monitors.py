"""Monitors: add, change, look at, pause, run."""

from collections.abc import Mapping
from datetime import datetime

from lifesign.core.model import Owner, State
from lifesign.core.scope import Scope
from lifesign.service.views import (
    CertificateView,
    HeartbeatView,
    HistoryView,
    MonitorView,
    Page,
    RunView,
)
from lifesign.store.values import MonitorQuery


class Monitors:
    """The operations on monitors."""

    async def add(self, scope: Scope, draft: Mapping[str, object], *, owner: Owner) -> MonitorView:
        """A new monitor. Raises InvalidError with problems, ConflictError when the name is taken."""
        raise NotImplementedError

    async def update(
        self,
        scope: Scope,
        id: str,
        changes: Mapping[str, object],
        *,
        owner: Owner,
        expected_version: int | None = None,
    ) -> MonitorView:
        """Change what `changes` names."""
        raise NotImplementedError

    async def remove(self, scope: Scope, id: str) -> None:
        """Remove it."""
        raise NotImplementedError

    async def pause(self, scope: Scope, id: str) -> MonitorView:
        """Let it rest."""
        raise NotImplementedError

    async def resume(self, scope: Scope, id: str) -> MonitorView:
        """Watch again."""
        raise NotImplementedError

    async def run_now(self, scope: Scope, id: str) -> None:
        """Ask the engine for a run at once."""
        raise NotImplementedError

    async def get(self, scope: Scope, id_or_slug: str) -> MonitorView:
        """One monitor by id or slug. Raises NotFoundError."""
        raise NotImplementedError

    async def list(self, scope: Scope, query: MonitorQuery) -> Page[MonitorView]:
        """Monitors, worst first unless sorted otherwise."""
        raise NotImplementedError

    async def history(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime,
        until: datetime,
        points: int = 120,
        days: int = 90,
    ) -> HistoryView:
        """The past of one monitor."""
        raise NotImplementedError

    async def runs(
        self,
        scope: Scope,
        id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
        states: tuple[State, ...] = (),
    ) -> Page[RunView]:
        """Single runs, newest first."""
        raise NotImplementedError

    async def heartbeats(
        self, scope: Scope, *, limit: int = 50, cursor: str | None = None
    ) -> Page[HeartbeatView]:
        """The jobs that report."""
        raise NotImplementedError

    async def certificates(
        self, scope: Scope, *, limit: int = 50, cursor: str | None = None
    ) -> Page[CertificateView]:
        """The certificates that were met on last runs."""
        raise NotImplementedError

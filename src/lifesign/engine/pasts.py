"""How long the runs of monitors took, as the tempo needs it: read for several monitors at once, of any tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from lifesign.core.latency import READ_BACK, Slice, is_young
from lifesign.core.model import Monitor
from lifesign.core.scope import system_scope
from lifesign.store import Store

Wanted = tuple[Monitor, datetime]
"""A monitor whose past is wanted, and until when."""


class Pasts:
    """Reads the past. Everything here raises StorageError when it cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def slices(self, wanted: Sequence[Wanted]) -> Mapping[str, Sequence[Slice]]:
        """The past of each of these monitors: days, and hours of those that are young."""
        groups: dict[tuple[str, bool], list[Wanted]] = {}
        for monitor, until in wanted:
            by_hour = is_young(monitor.created_at, until)
            groups.setdefault((monitor.tenant, by_hour), []).append((monitor, until))
        found: dict[str, Sequence[Slice]] = {}
        for (tenant, by_hour), group in groups.items():
            found |= await self._store.observations.slices(
                system_scope("engine", tenant),
                [monitor.id for monitor, _ in group],
                since=min(until for _, until in group) - READ_BACK,
                until=max(until for _, until in group),
                by_hour=by_hour,
            )
        return found

    async def phases_p95_ms(
        self, monitor: Monitor, since: datetime, until: datetime
    ) -> Mapping[str, float]:
        """The p95 of each phase over a window."""
        scope = system_scope("engine", monitor.tenant)
        found = await self._store.observations.latency(scope, monitor.id, since, until)
        p95s = {name: each.p95_ms for name, each in found.phases.items()}
        return {name: ms for name, ms in p95s.items() if ms is not None}

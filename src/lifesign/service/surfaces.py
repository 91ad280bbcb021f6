"""Published surfaces as people work with them: look, compare, accept, pin, announce."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lifesign.core.drift.compare import compare, worst
from lifesign.core.drift.follow import accept
from lifesign.core.drift.values import Change, Drift
from lifesign.core.errors import ConflictError, InvalidError, NotFoundError, StaleError
from lifesign.core.model import Monitor
from lifesign.core.paging import Page
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.releases import MAX_DIGEST, Releases
from lifesign.service.surface_sights import STALE_INTERVALS, Place, Sight, last_sights
from lifesign.service.surface_views import (
    PlaceView,
    SurfaceChangeView,
    SurfaceDiffView,
    SurfaceFigures,
    SurfaceView,
    counts,
    place_view,
    release_view,
    surface_view,
)

_TRIES = 3


class Surfaces(Releases):
    """The operations on published surfaces, and on the releases that change them."""

    async def of(self, scope: Scope, monitor_id: str) -> SurfaceView:
        """What a monitor's target publishes, from everywhere it is seen. Raises NotFoundError."""
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, monitor_id)
        drifts = await self._store.surfaces.drifts(scope, monitor.id)
        digests = {digest for drift in drifts for digest in (drift.current, drift.baseline)}
        documents = await self._store.surfaces.documents(scope, digests)
        sights = await last_sights(self._store, scope, monitor.id, drifts)
        now = self._clock.now()
        # A look is told once it is over, which may take as long as it may take.
        stale_s = STALE_INTERVALS * monitor.interval_s + monitor.timeout_s

        def views() -> list[PlaceView]:
            return _places(drifts, documents, sights, stale_s=stale_s, now=now)

        places = await asyncio.to_thread(views)
        releases = await self._store.surfaces.releases(scope, monitor.id)
        coming = [
            release_view(each, monitor_name=monitor.name, now=now)
            for each in releases
            if each.ends_at >= now
        ]
        return surface_view(monitor, places, coming)

    async def timeline(
        self, scope: Scope, monitor_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[SurfaceChangeView]:
        """The confirmed changes of a surface, newest first. Raises NotFoundError."""
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, monitor_id)
        page = await self._store.surfaces.changes(scope, monitor.id, limit=limit, cursor=cursor)
        return Page(tuple([SurfaceChangeView.of(line) for line in page.items]), page.next_cursor)

    async def document(self, scope: Scope, monitor_id: str, digest: str) -> bytes:
        """The canonical JSON of a surface that this monitor published. Raises NotFoundError."""
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, monitor_id)
        return (await self._documents(scope, monitor, (digest,)))[digest]

    async def figures(self, scope: Scope) -> tuple[SurfaceFigures, ...]:
        """How every surface of the tenant stands, for metrics."""
        require(scope, Grant.READ)
        return tuple(
            [
                SurfaceFigures(
                    monitor_id=drift.monitor_id,
                    region=drift.region,
                    audience=drift.audience,
                    changed_at=drift.current_since,
                    drifted=drift.is_drifted,
                )
                for drift in await self._store.surfaces.tenant_drifts(scope)
            ]
        )

    async def compare(
        self, scope: Scope, monitor_id: str, before: str = "", after: str = ""
    ) -> SurfaceDiffView:
        """What two surfaces that this monitor published differ in.

        One that is not named is what is accepted (`before`) or published now (`after`), in the first place that drifted.
        Raises NotFoundError, and ConflictError before the first look.
        """
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, monitor_id)
        if not before or not after:
            place = _first_place(monitor, await self._store.surfaces.drifts(scope, monitor.id))
            before, after = before or place.baseline, after or place.current
        found = await self._documents(scope, monitor, (before, after))
        changes = await asyncio.to_thread(compare, found[before], found[after])
        return SurfaceDiffView(
            monitor_id=monitor.id,
            before=before,
            after=after,
            impact=worst(changes) if changes else None,
            counts=counts(changes),
            changes=changes,
        )

    async def accept(
        self, scope: Scope, monitor_id: str, *, digest: str = "", pin: bool = False, by: str = ""
    ) -> SurfaceView:
        """Make what is published now, or the surface of a digest, the baseline wherever it was seen.

        A pin that is there stays; `pin` sets one. Saying it again changes nothing. Raises NotFoundError, ConflictError
        before the first look, InvalidError for a digest that was never published, StaleError when it changes meanwhile.
        """
        require(scope, Grant.OPERATE)
        monitor = await self._store.monitors.get(scope, monitor_id)
        places = await self._store.surfaces.shown_in(scope, monitor.id, digest) if digest else None
        if places is not None and not places:
            raise _never_seen(monitor, digest)
        now = self._clock.now()

        def accepted(drift: Drift) -> Drift:
            if places is not None and (drift.region, drift.audience) not in places:
                return drift
            return accept(drift, digest or drift.current, at=now, pinned=pin or drift.pinned)

        data = {"digest": digest, "pinned": pin, "by": by or scope.actor}
        await self._decide(
            scope, monitor, accepted, type="monitor.drift_accepted", data=data, at=now,
            tries=_TRIES if digest else 1,
        )  # fmt: skip
        return await self.of(scope, monitor.id)

    async def pin(self, scope: Scope, monitor_id: str, *, by: str = "") -> SurfaceView:
        """Keep the baselines as they are, so that neither time nor silence moves them. Raises as `accept` does."""
        return await self._pinned(scope, monitor_id, pinned=True, by=by)

    async def unpin(self, scope: Scope, monitor_id: str, *, by: str = "") -> SurfaceView:
        """Let time accept changes again, as the monitor's policy says. Raises as `accept` does."""
        return await self._pinned(scope, monitor_id, pinned=False, by=by)

    async def _pinned(self, scope: Scope, monitor_id: str, *, pinned: bool, by: str) -> SurfaceView:
        require(scope, Grant.OPERATE)
        monitor = await self._store.monitors.get(scope, monitor_id)
        await self._decide(
            scope,
            monitor,
            lambda drift: replace(drift, pinned=pinned),
            type="monitor.baseline_pinned" if pinned else "monitor.baseline_unpinned",
            data={"by": by or scope.actor},
            at=self._clock.now(),
            tries=_TRIES,
        )
        return await self.of(scope, monitor.id)

    async def _decide(
        self,
        scope: Scope,
        monitor: Monitor,
        decision: Callable[[Drift], Drift],
        *,
        type: str,
        data: Mapping[str, object],
        at: datetime,
        tries: int,
    ) -> None:
        """Store what a decision makes of every place, and tell of it; on what changed meanwhile, decide anew."""
        for last in (attempt == tries - 1 for attempt in range(tries)):
            drifts = await self._store.surfaces.drifts(scope, monitor.id)
            if not drifts:
                raise _never_looked(monitor)
            moves = [(each, decision(each)) for each in drifts]
            moves = [(before, after) for before, after in moves if before != after]
            if not moves:
                return
            try:
                await self._store.surfaces.rebase(scope, moves, at=at, by=str(data["by"]))
            except StaleError:
                if last:
                    raise
            else:
                break
        named = {"name": monitor.name, "slug": monitor.slug, "kind": monitor.kind}
        await self._news.tell(scope, type, kind="surface", id=monitor.id, data={**named, **data})

    async def _documents(
        self, scope: Scope, monitor: Monitor, digests: Iterable[str]
    ) -> Mapping[str, bytes]:
        """Documents that this monitor published; those of others are not here. Raises NotFoundError."""
        wanted = set(digests)
        found = await self._store.surfaces.documents(scope, wanted)
        for digest in sorted(wanted):
            shown = await self._store.surfaces.shown_in(scope, monitor.id, digest)
            if digest not in found or not shown:
                raise NotFoundError(
                    f"{monitor.name} never published a surface {digest[:MAX_DIGEST]!r}, or it is no longer kept.",
                    remedy="Take a digest from its surface or its timeline.",
                )
        return found


def _places(
    drifts: Sequence[Drift],
    documents: Mapping[str, bytes],
    sights: Mapping[Place, Sight],
    *,
    stale_s: float,
    now: datetime,
) -> list[PlaceView]:
    """The views of all places; called in a thread, because large surfaces are decoded and compared."""
    views = []
    for drift in drifts:
        old, new = documents.get(drift.baseline), documents.get(drift.current)
        differences: tuple[Change, ...] = ()
        if drift.is_drifted and old is not None and new is not None:
            differences = compare(old, new)
        sight = sights.get((drift.region, drift.audience))
        view = place_view(drift, new, differences, sight=sight, stale_s=stale_s, now=now)
        views.append(view)
    return views


def _first_place(monitor: Monitor, drifts: Sequence[Drift]) -> Drift:
    """The place that is meant when none is named: the first that drifted, else the first."""
    if not drifts:
        raise _never_looked(monitor)
    return next((each for each in drifts if each.is_drifted), drifts[0])


def _never_seen(monitor: Monitor, digest: str) -> InvalidError:
    return InvalidError(
        f"{monitor.name} never published a surface {digest[:MAX_DIGEST]!r}, so it cannot be accepted.",
        problems=(("digest", "was never published by this monitor"),),
        remedy="Take a digest from its surface or its timeline; announce a release for one that is still to come.",
    )


def _never_looked(monitor: Monitor) -> ConflictError:
    return ConflictError(
        f"{monitor.name} has shown no surface yet, so there is none to look at or decide about.",
        remedy="Wait for its first good run; only monitors of MCP servers have a surface.",
    )

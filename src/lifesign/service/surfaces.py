"""Published surfaces as people work with them: look, compare, accept, pin, announce."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lifesign.clock import Clock
from lifesign.core.batch import Batch, Event
from lifesign.core.drift.compare import compare, worst
from lifesign.core.drift.follow import accept
from lifesign.core.drift.values import Change, Drift, Release
from lifesign.core.errors import ConflictError, InvalidError, NotFoundError, StaleError
from lifesign.core.model import Monitor
from lifesign.core.paging import Page
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.keys import new_id
from lifesign.service.news import News
from lifesign.service.surface_views import (
    PlaceView,
    ReleaseView,
    SurfaceChangeView,
    SurfaceDiffView,
    SurfaceView,
    counts,
    place_view,
    release_view,
    surface_view,
)
from lifesign.store import Store
from lifesign.store.values import MonitorQuery

LONGEST_RELEASE = timedelta(days=30)
"""A longer window would accept whatever happens: that is what `drift_accept` of the policy is for."""
MOST_MONITORS = 1000
MAX_NOTE = 200
MAX_DIGEST = 200
_TRIES = 3


class Surfaces:
    """The operations on published surfaces."""

    def __init__(self, *, store: Store, clock: Clock, news: News) -> None:
        self._store = store
        self._clock = clock
        self._news = news

    async def of(self, scope: Scope, monitor_id: str) -> SurfaceView:
        """What a monitor's target publishes, from everywhere it is seen. Raises NotFoundError."""
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, monitor_id)
        drifts = await self._store.surfaces.drifts(scope, monitor.id)
        digests = {digest for drift in drifts for digest in (drift.current, drift.baseline)}
        documents = await self._store.surfaces.documents(scope, digests)
        now = self._clock.now()
        places = await asyncio.to_thread(_places, drifts, documents, now)
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

    async def compare(
        self, scope: Scope, monitor_id: str, before: str, after: str
    ) -> SurfaceDiffView:
        """What two surfaces that this monitor published differ in. Raises NotFoundError."""
        require(scope, Grant.READ)
        monitor = await self._store.monitors.get(scope, monitor_id)
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
        if digest and not await self._store.surfaces.has_shown(scope, monitor.id, digest):
            raise _never_seen(monitor, digest)
        now = self._clock.now()

        def accepted(drift: Drift) -> Drift:
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

    async def announce(
        self,
        scope: Scope,
        *,
        ends_at: datetime,
        monitor_id: str = "",
        tag: str = "",
        group: str = "",
        starts_at: datetime | None = None,
        digest: str = "",
        note: str = "",
        by: str = "",
    ) -> tuple[ReleaseView, ...]:
        """Announce a release of one monitor, or of every monitor with a tag or in a group: one release each.

        What changes within the window is accepted in silence; `digest` narrows it to one surface, which need not have
        been seen. Raises InvalidError, and NotFoundError for a monitor that does not exist.
        """
        require(scope, Grant.OPERATE)
        now = self._clock.now()
        begins_at = starts_at or now
        _check_window(begins_at, ends_at, now=now, digest=digest, note=note)
        monitors = await self._meant(scope, monitor_id, tag=tag, group=group)
        releases = [
            Release(
                id=new_id("rel"), monitor_id=monitor.id, tenant=scope.tenant, starts_at=begins_at,
                ends_at=ends_at, digest=digest, note=note, by=by or scope.actor,
            )
            for monitor in monitors
        ]  # fmt: skip
        await self._store.surfaces.announce(scope, releases)
        await self._tell_releases(scope, "release.announced", releases)
        return self._views(releases, {monitor.id: monitor for monitor in monitors})

    async def releases(self, scope: Scope, monitor_id: str = "") -> tuple[ReleaseView, ...]:
        """The releases of one monitor or of all, the latest to begin first; at most 1000. Raises NotFoundError."""
        require(scope, Grant.READ)
        id = (await self._store.monitors.get(scope, monitor_id)).id if monitor_id else ""
        releases = await self._store.surfaces.releases(scope, id)
        known = {id: await self._monitor(scope, id) for id in {r.monitor_id for r in releases}}
        return self._views(releases, {id: found for id, found in known.items() if found})

    async def cancel(self, scope: Scope, release_id: str) -> None:
        """Take a release back; what it accepted stays accepted. Raises NotFoundError."""
        require(scope, Grant.OPERATE)
        release = await self._store.surfaces.cancel(scope, release_id)
        await self._tell_releases(scope, "release.cancelled", [release])

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
            shown = await self._store.surfaces.has_shown(scope, monitor.id, digest)
            if digest not in found or not shown:
                raise NotFoundError(
                    f"{monitor.name} never published a surface {digest[:MAX_DIGEST]!r}, or it is no longer kept.",
                    remedy="Take a digest from its surface or its timeline.",
                )
        return found

    async def _meant(
        self, scope: Scope, monitor_id: str, *, tag: str, group: str
    ) -> Sequence[Monitor]:
        if monitor_id:
            return [await self._store.monitors.get(scope, monitor_id)]
        if not (tag or group):
            raise _unusable(("monitor", "name a monitor, a tag or a group"))
        query = MonitorQuery(tag=tag, group=group, sort="name", limit=MOST_MONITORS)
        page = await self._store.monitors.list(scope, query)
        if not page.items:
            raise _unusable(("tag" if tag else "group", "no monitor has it"))
        if page.next_cursor is not None:
            raise _unusable(
                ("tag" if tag else "group", f"more than {MOST_MONITORS} monitors have it")
            )
        return [row.monitor for row in page.items]

    async def _monitor(self, scope: Scope, id: str) -> Monitor | None:
        try:
            return await self._store.monitors.get(scope, id)
        except NotFoundError:
            return None

    def _views(
        self, releases: Iterable[Release], monitors: Mapping[str, Monitor]
    ) -> tuple[ReleaseView, ...]:
        now = self._clock.now()
        names = {id: monitor.name for id, monitor in monitors.items()}
        return tuple(
            [
                release_view(each, monitor_name=names.get(each.monitor_id, ""), now=now)
                for each in releases
            ]
        )

    async def _tell_releases(self, scope: Scope, type: str, releases: Sequence[Release]) -> None:
        now = self._clock.now()
        events = [
            Event(
                type=type, at=now, tenant=scope.tenant, monitor_id=each.monitor_id,
                data={"release_id": each.id, "note": each.note, "starts_at": each.starts_at.isoformat(),
                      "ends_at": each.ends_at.isoformat(), "by": scope.actor},
            )
            for each in releases
        ]  # fmt: skip
        await self._news.surfaces_changed(scope, [each.monitor_id for each in releases])
        await self._news.commit(Batch(events=tuple(events)))


def _places(
    drifts: Sequence[Drift], documents: Mapping[str, bytes], now: datetime
) -> list[PlaceView]:
    """The views of all places; called in a thread, because large surfaces are decoded and compared."""
    views = []
    for drift in drifts:
        old, new = documents.get(drift.baseline), documents.get(drift.current)
        differences: tuple[Change, ...] = ()
        if drift.is_drifted and old is not None and new is not None:
            differences = compare(old, new)
        views.append(place_view(drift, new, differences, now=now))
    return views


def _check_window(
    starts_at: datetime, ends_at: datetime, *, now: datetime, digest: str, note: str
) -> None:
    problems: list[tuple[str, str]] = []
    if ends_at <= starts_at:
        problems.append(("ends_at", "is not after the window begins"))
    elif ends_at <= now:
        problems.append(("ends_at", "is over already"))
    elif ends_at - starts_at > LONGEST_RELEASE:
        problems.append(
            ("ends_at", f"is more than {LONGEST_RELEASE.days} days after the window begins")
        )
    if len(note) > MAX_NOTE:
        problems.append(("note", f"is longer than {MAX_NOTE} characters"))
    if len(digest) > MAX_DIGEST:
        problems.append(("digest", f"is longer than {MAX_DIGEST} characters"))
    if problems:
        raise _unusable(*problems)


def _unusable(*problems: tuple[str, str]) -> InvalidError:
    said = "; ".join(f"{field} {reason}" for field, reason in problems)
    return InvalidError(f"This release cannot be announced: {said}.", problems=problems)


def _never_seen(monitor: Monitor, digest: str) -> InvalidError:
    return InvalidError(
        f"{monitor.name} never published a surface {digest[:MAX_DIGEST]!r}, so it cannot be accepted.",
        problems=(("digest", "was never published by this monitor"),),
        remedy="Take a digest from its surface or its timeline; announce a release for one that is still to come.",
    )


def _never_looked(monitor: Monitor) -> ConflictError:
    return ConflictError(
        f"{monitor.name} has shown no surface yet, so there is none to decide about.",
        remedy="Wait for its first good run; only monitors of MCP servers have a surface.",
    )

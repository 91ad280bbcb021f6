"""Announced releases: windows within which a changed surface is what was meant."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from lifesign.clock import Clock
from lifesign.core.batch import Batch, Event
from lifesign.core.drift.values import Release
from lifesign.core.errors import InvalidError, NotFoundError
from lifesign.core.model import Monitor
from lifesign.core.scope import Grant, Scope
from lifesign.service.access import require
from lifesign.service.keys import new_id
from lifesign.service.news import News
from lifesign.service.surface_views import ReleaseView, release_view
from lifesign.store import Store
from lifesign.store.values import MonitorQuery

LONGEST_RELEASE = timedelta(days=30)
"""A longer window would accept whatever happens: that is what `drift_accept` of the policy is for."""
FURTHEST = timedelta(days=366)
"""How far ahead a window may end."""
MOST_MONITORS = 1000
MAX_NOTE = 200
MAX_DIGEST = 200


class Releases:
    """The operations on announced releases."""

    def __init__(self, *, store: Store, clock: Clock, news: News) -> None:
        self._store = store
        self._clock = clock
        self._news = news

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
                id=new_id("rel"), monitor_id=monitor.id, tenant=scope.tenant,
                starts_at=begins_at.astimezone(UTC), ends_at=ends_at.astimezone(UTC), digest=digest, note=note, by=by or scope.actor,
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
    elif ends_at - now > FURTHEST:
        problems.append(("ends_at", f"is more than {FURTHEST.days} days from now"))
    if len(note) > MAX_NOTE:
        problems.append(("note", f"is longer than {MAX_NOTE} characters"))
    if len(digest) > MAX_DIGEST:
        problems.append(("digest", f"is longer than {MAX_DIGEST} characters"))
    if problems:
        raise _unusable(*problems)


def _unusable(*problems: tuple[str, str]) -> InvalidError:
    said = "; ".join(f"{field} {reason}" for field, reason in problems)
    return InvalidError(f"This release cannot be announced: {said}.", problems=problems)

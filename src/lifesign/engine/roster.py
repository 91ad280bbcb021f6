"""Who is watched: read once at the start, then kept up with every change that a face makes."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import cast

import structlog

from lifesign.bus import Change, ChangeOf
from lifesign.clock import Clock
from lifesign.core.batch import Ping
from lifesign.core.drift.follow import LATE_NEWS
from lifesign.core.drift.values import Drift
from lifesign.core.errors import NotFoundError, StorageError
from lifesign.core.messages import AlertState
from lifesign.core.model import Failure, Monitor, MonitorState, State
from lifesign.core.scope import system_scope
from lifesign.engine.gauges import Gauges
from lifesign.engine.judge import Judge
from lifesign.engine.pulse import PulseDesk
from lifesign.engine.scheduler import Scheduler
from lifesign.engine.surfaces import Place, diverged_since, place_of, unsettled
from lifesign.engine.unusable import UnusableError, is_set_aside, unusable
from lifesign.engine.watch import Compiler, Memory, Watched
from lifesign.store import Journal, Store

FIRST_LOOKS_PER_S = 500.0
"""How fast a start works through what it has never seen: brisk, and far below what one core can do."""
AGAIN_S = 1.0
"""A change that could not be read is read again after this long."""

_log = structlog.get_logger(__name__)


class Roster:
    """Keeps the engine's memory and plans in step with what is stored."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        gauges: Gauges,
        memory: Memory,
        compiler: Compiler,
        scheduler: Scheduler,
        pulse: PulseDesk,
        judge: Judge,
    ) -> None:
        self._store = store
        self._clock = clock
        self._gauges = gauges
        self._memory = memory
        self._compiler = compiler
        self._scheduler = scheduler
        self._pulse = pulse
        self._judge = judge
        self._half_done: list[Watched] = []
        self._refused: list[tuple[Monitor, Failure]] = []
        self._unsettled: list[Watched] = []

    async def load(self, *, away_s: float) -> None:
        """Read everything that is watched, and plan it. `away_s` moves the deadlines of heartbeats."""
        store, memory = self._store, self._memory
        memory.states.update(
            {state.monitor_id: state for state in await store.monitors.all_states()}
        )
        memory.alerts.update({alert.key: alert for alert in await store.alerts.open_alerts()})
        memory.routes.update({route.id: route for route in await store.channels.all_routes()})
        memory.channels.update({each.id: each for each in await store.channels.all_channels()})
        journals = {each.monitor_id: each for each in await store.pings.journals()}
        await self._load_surfaces()
        monitors = await store.monitors.all_active()
        crowd = sum(monitor.id not in memory.states for monitor in monitors)
        for monitor in monitors:
            watched = self._ready(monitor)
            if isinstance(watched, Failure):
                self._refused.append((monitor, watched))
                continue
            memory.watched[monitor.id] = watched
            if watched.kind.passive:
                self._pulse.begin(watched, _kept_pings(journals.get(monitor.id)), away_s=away_s)
            if monitor.paused:
                self._scheduler.forget(watched)
            elif not watched.kind.passive:
                self._plan_first(watched, memory.states.get(monitor.id), crowd=crowd)
            if _is_half_done(monitor, memory.states.get(monitor.id)):
                self._half_done.append(watched)
        asking = unsettled(memory.surfaces, memory.alerts)
        self._unsettled += [memory.watched[id] for id in asking if id in memory.watched]

    async def _load_surfaces(self) -> None:
        """What is remembered of published surfaces, and the releases that are announced."""
        surfaces, memory = self._store.surfaces, self._memory.surfaces
        rows: dict[str, dict[Place, Drift]] = {}
        for drift in await surfaces.all_drifts():
            rows.setdefault(drift.monitor_id, {})[place_of(drift)] = drift
        memory.rows.update(rows)
        for monitor_id, mine in rows.items():
            since = diverged_since(mine)
            if since is not None:
                memory.diverged[monitor_id] = since
        for release in await surfaces.all_releases(self._clock.now() - LATE_NEWS):
            known = memory.releases.get(release.monitor_id, ())
            memory.releases[release.monitor_id] = (*known, release)

    def _plan_first(self, watched: Watched, state: MonitorState | None, *, crowd: int) -> None:
        """What was never seen is looked at now; what is suspect soon; the rest keeps its rhythm.

        A crowd that was never seen comes in at `FIRST_LOOKS_PER_S`, each within its interval all the same.
        """
        if state is None or state.state in (State.UNKNOWN, State.PAUSED):
            interval_s = watched.monitor.interval_s
            spread_s = min(interval_s, crowd / FIRST_LOOKS_PER_S)
            now_s = self._scheduler.now_s()
            self._scheduler.plan(watched, now_s + watched.phase / interval_s * spread_s)
        elif state.suspect:
            self._scheduler.hasten(watched, watched.monitor.policy.recheck_s)
        else:
            self._scheduler.plan_next(watched)

    def _ready(self, monitor: Monitor) -> Watched | Failure:
        try:
            watched = self._compiler.ready(monitor)
        except UnusableError as reason:
            # One bad row must not stop the others: it is set aside and said.
            self._gauges.problems[f"monitor {monitor.id}"] = (
                f"The monitor {monitor.slug} cannot be run: {reason}"
            )
            _log.error(
                "monitor_unusable", monitor=monitor.id, kind=monitor.kind, reason=str(reason)
            )
            return unusable(monitor, str(reason))
        self._gauges.problems.pop(f"monitor {monitor.id}", None)
        return watched

    async def follow(self, changes: AsyncIterable[object]) -> None:
        """Take up every change, in order, until cancelled; first what was stored, and not done, when we died."""
        for watched in self._half_done:
            await self._take_up(watched, None)
        self._half_done.clear()
        for monitor, failure in self._refused:
            await self._set_aside(monitor, failure)
        self._refused.clear()
        for watched in self._unsettled:
            await self._take_in(Change("surface", watched.monitor.id, watched.monitor.tenant))
        self._unsettled.clear()
        async for news in changes:
            await self._take_in(cast("Change", news))

    async def _take_in(self, change: Change) -> None:
        """Take up one change; one that cannot be read now is read again."""
        while True:
            try:
                await self._look_at(change)
            except StorageError as refusal:
                _log.error("change_unread", kind=change.kind, id=change.id, reason=str(refusal))
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _look_at(self, change: Change) -> None:
        if change.kind == "monitor":
            await self._monitor_changed(change)
        elif change.kind == "alert":
            await self._alert_changed(change)
        elif change.kind == "surface":
            await self._judge.take_up_surface(change.id, change.tenant)
        else:
            await self._rules_changed()

    async def _alert_changed(self, change: Change) -> None:
        """Somebody acknowledged it: remember that, so that the next change of the alert keeps it."""
        with suppress(NotFoundError):
            alert = await self._store.alerts.get(system_scope("engine", change.tenant), change.id)
            known = self._memory.alerts.get(alert.key)
            # The judge may have gone on since this was read: only what the person did is taken over.
            if (
                alert.state is AlertState.ACKNOWLEDGED
                and known is not None
                and known.id == alert.id
            ):
                self._memory.alerts[alert.key] = replace(
                    known,
                    state=alert.state,
                    acknowledged_at=alert.acknowledged_at,
                    acknowledged_by=alert.acknowledged_by,
                )

    async def _rules_changed(self) -> None:
        routes = {route.id: route for route in await self._store.channels.all_routes()}
        channels = {each.id: each for each in await self._store.channels.all_channels()}
        for mine, theirs in ((self._memory.routes, routes), (self._memory.channels, channels)):
            cast("dict[str, object]", mine).clear()
            cast("dict[str, object]", mine).update(theirs)

    async def _monitor_changed(self, change: Change) -> None:
        before = self._memory.watched.get(change.id)
        if change.what is ChangeOf.RUN:
            if before is not None and not before.kind.passive:
                self._scheduler.plan(before, self._scheduler.now_s())
            return
        monitor = await self._read(change)
        if before is not None:
            self._scheduler.forget(before)
        if monitor is None:
            self._forget(change.id)
            return
        watched = self._ready(monitor)
        if isinstance(watched, Failure):
            self._memory.watched.pop(monitor.id, None)
            await self._set_aside(monitor, watched)
            return
        self._memory.watched[monitor.id] = watched
        if watched.kind.passive and is_set_aside(self._memory.states.get(monitor.id)):
            # Jobs went on pinging meanwhile: what was heard is stored, and nobody counted it.
            journals = {each.monitor_id: each for each in await self._store.pings.journals()}
            self._pulse.begin(watched, _kept_pings(journals.get(monitor.id)))
        await self._take_up(watched, before)

    async def _set_aside(self, monitor: Monitor, failure: Failure) -> None:
        """Say that nothing is known of what cannot be run; its open alert stays, and goes on when it is mended."""
        now, paused = self._clock.now(), monitor.paused
        state, shown = (State.PAUSED, None) if paused else (State.UNKNOWN, failure)
        await self._judge.settle(lambda fold: fold.impose(monitor, state, at=now, failure=shown))

    async def _read(self, change: Change) -> Monitor | None:
        if change.what is ChangeOf.REMOVED:
            return None
        with suppress(NotFoundError):
            return await self._store.monitors.get(system_scope("engine", change.tenant), change.id)
        return None

    def _forget(self, monitor_id: str) -> None:
        self._gauges.problems.pop(f"monitor {monitor_id}", None)
        self._memory.watched.pop(monitor_id, None)
        self._memory.states.pop(monitor_id, None)
        self._memory.surfaces.forget(monitor_id)
        for sight in [sight for sight in self._memory.access if sight[1] == monitor_id]:
            del self._memory.access[sight]
        for key, alert in list(self._memory.alerts.items()):
            if alert.monitor_id == monitor_id:
                del self._memory.alerts[key]

    async def _take_up(self, watched: Watched, before: Watched | None) -> None:
        """Begin with a new or changed monitor: pause it, or look at it at once."""
        monitor, now = watched.monitor, self._clock.now()
        if before is not None and watched.kind.passive:
            watched.memory.update(before.memory)
        if watched.kind.passive:
            self._pulse.resume(watched)
        if monitor.paused:
            self._scheduler.forget(watched)
            await self._judge.settle(lambda fold: fold.impose(monitor, State.PAUSED, at=now))
            return
        await self._unpause(monitor, now)
        if not watched.kind.passive:
            self._scheduler.plan(watched, self._scheduler.now_s())

    async def _unpause(self, monitor: Monitor, now: datetime) -> None:
        state = self._memory.states.get(monitor.id)
        if state is not None and (state.state is State.PAUSED or is_set_aside(state)):
            await self._judge.settle(lambda fold: fold.impose(monitor, State.UNKNOWN, at=now))


def _is_half_done(monitor: Monitor, state: MonitorState | None) -> bool:
    """Whether what is stored of a monitor's state is not what was decided, or mended, since."""
    is_said_paused = state is not None and state.state is State.PAUSED
    return monitor.paused is not is_said_paused or is_set_aside(state)


def _kept_pings(journal: Journal | None) -> tuple[Ping, ...]:
    """The few pings that still matter after a restart, each once."""
    if journal is None:
        return ()
    kept = [*journal.running, journal.start, journal.fail, journal.success]
    return tuple({ping: None for ping in kept if ping is not None})

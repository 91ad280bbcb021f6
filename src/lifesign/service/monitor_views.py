"""Stored monitors as people see them: the state that is shown, the target in words, no secret."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from lifesign.clock import Clock
from lifesign.core.model import Monitor, MonitorState, Owner, State
from lifesign.core.scope import Grant, Scope
from lifesign.probes.registry import UnknownKindError
from lifesign.service.drafts import DraftReader
from lifesign.service.pings import PING_KEY, ping_key
from lifesign.service.settings import SHOWN, SettingsError, shown_settings
from lifesign.service.views import MonitorView, RunView
from lifesign.store import Store
from lifesign.store.values import Digest, MonitorRow, StoredRun

DIGEST_FOR_S = 60.0
"""How old the 24-hour figures of a listing may be: they move by less than 0.1 % in a minute."""
MAX_DIGESTS = 20_000


class MonitorViews:
    """Makes views; it keeps the 24-hour figures for a minute because a listing asks for many."""

    def __init__(self, *, store: Store, reader: DraftReader, clock: Clock, public_url: str) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._public_url = public_url
        self._digests: OrderedDict[str, tuple[float, Digest]] = OrderedDict()

    async def of(self, scope: Scope, rows: Sequence[MonitorRow]) -> tuple[MonitorView, ...]:
        """The views of some monitors, with their 24-hour figures."""
        digests = await self._recent_digests(scope, [row.monitor.id for row in rows])
        return tuple([self.view(scope, row, digests.get(row.monitor.id)) for row in rows])

    def view(self, scope: Scope, row: MonitorRow, digest: Digest | None = None) -> MonitorView:
        """The view of one monitor. Who may only read learns no ping key: whoever knows it can report for the job."""
        monitor, state = row.monitor, row.state
        target, settings = self._shown(monitor)
        may_ping = scope.allows(Grant.OPERATE)
        if ping_key(monitor) and not may_ping:
            settings = {**settings, PING_KEY: SHOWN}
        return MonitorView(
            id=monitor.id,
            slug=monitor.slug,
            name=monitor.name,
            kind=monitor.kind,
            target=target,
            state=shown_state(monitor, state),
            since=state.since if state is not None else None,
            failure=None if state is None or monitor.paused else state.failure,
            flapping=state is not None and state.flapping,
            suspect=state is not None and state.suspect and not monitor.paused,
            paused=monitor.paused,
            severity=monitor.severity,
            group=monitor.group,
            tags=monitor.tags,
            description=monitor.description,
            runbook_url=monitor.runbook_url,
            interval_s=monitor.interval_s,
            timeout_s=monitor.timeout_s,
            conditions=monitor.conditions,
            policy=monitor.policy,
            settings=settings,
            regions=state.regions if state is not None else {},
            owner=monitor.owner,
            read_only=monitor.owner is Owner.FILE,
            version=monitor.version,
            created_at=monitor.created_at,
            updated_at=monitor.updated_at,
            last_run=None if row.last is None else run_view(row.last),
            uptime_24h=None if digest is None else digest.uptime.ratio,
            p95_ms_24h=None if digest is None else digest.latency.p95_ms,
            ping_url=self.ping_url(monitor) if may_ping else "",
        )

    def ping_url(self, monitor: Monitor) -> str:
        """The address that jobs of this monitor ping; empty for a monitor that is not pinged."""
        key = ping_key(monitor)
        return f"{self._public_url}/ping/{key}" if key else ""

    def period_of(self, monitor: Monitor) -> timedelta:
        """How often a job is to report; the interval of a monitor whose settings say nothing of it."""
        period = None
        with suppress(UnknownKindError, SettingsError):
            period = getattr(self._reader.settings_of(monitor), "period", None)
        return period if isinstance(period, timedelta) else timedelta(seconds=monitor.interval_s)

    def _shown(self, monitor: Monitor) -> tuple[str, Mapping[str, object]]:
        """Target and settings without secrets; of a monitor that no kind understands any more, only the names."""
        try:
            settings = self._reader.settings_of(monitor)
        except (UnknownKindError, SettingsError):
            return "", dict.fromkeys(monitor.settings, SHOWN)
        return self._reader.kinds[monitor.kind].target(settings), shown_settings(settings)

    async def _recent_digests(self, scope: Scope, ids: Sequence[str]) -> Mapping[str, Digest]:
        now_s = self._clock.monotonic()
        stale = [each for each in ids if self._digests.get(each, (0.0, None))[0] <= now_s]
        if stale:
            now = self._clock.now()
            fresh = await self._store.observations.digests(scope, stale, _a_day_before(now), now)
            for monitor_id, digest in fresh.items():
                self._digests[monitor_id] = (now_s + DIGEST_FOR_S, digest)
                self._digests.move_to_end(monitor_id)
            while len(self._digests) > MAX_DIGESTS:
                self._digests.popitem(last=False)
        return {each: self._digests[each][1] for each in ids if each in self._digests}


def _a_day_before(now: datetime) -> datetime:
    return now - timedelta(days=1)


def shown_state(monitor: Monitor, state: MonitorState | None) -> State:
    """The state that people see: a paused monitor is paused at once, one that never ran is unknown."""
    if monitor.paused:
        return State.PAUSED
    if state is None or state.state is State.PAUSED:
        return State.UNKNOWN
    return state.state


def run_view(run: StoredRun) -> RunView:
    """A stored run as people see it."""
    return RunView(
        slot=run.slot,
        started_at=run.started_at,
        region=run.region,
        state=run.state,
        duration_ms=run.duration_ms,
        late_ms=run.late_ms,
        phases_ms=run.phases_ms,
        facts=run.facts,
        failure=run.failure,
        findings=run.findings,
        checks=run.checks,
    )

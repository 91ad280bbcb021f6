"""From runs to one batch: states, transitions, alerts and what is owed to whom. No I/O here.

The memory is not touched while folding: the fold collects what will be true, and `apply` makes it so once the
batch is committed. A commit that fails changes nothing, and the same runs can be folded again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from lifesign.core import alerting, routing
from lifesign.core.alerting import AlertChange, Concern
from lifesign.core.batch import Batch, Event
from lifesign.core.messages import Alert, AlertEvent, AlertState, Delivery
from lifesign.core.model import Failure, Monitor, MonitorState, Run, State, Transition
from lifesign.core.verdict import fresh_state, judge
from lifesign.engine.access import AccessFold
from lifesign.engine.drifting import SurfaceFold
from lifesign.engine.surfaces import Papers
from lifesign.engine.watch import Memory

ALERT_EVENT_TYPE = {
    AlertEvent.FIRED: "alert.fired",
    AlertEvent.ESCALATED: "alert.escalated",
    AlertEvent.ACKNOWLEDGED: "alert.acknowledged",
    AlertEvent.RESOLVED: "alert.resolved",
}


@dataclass(slots=True)
class Fold:
    """One batch in the making, over the memory as it was when the batch began."""

    memory: Memory
    new_id: Callable[[], str]
    papers: Papers = field(default_factory=Papers)
    runs: list[Run] = field(default_factory=list)
    states: dict[str, MonitorState] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    """Every alert that changed, by id in order of change: one key may resolve and open again in one batch."""
    newest: dict[str, Alert] = field(default_factory=dict)
    """The newest of them of each key."""
    transitions: list[Transition] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rechecks: set[str] = field(default_factory=set)
    surfaces: SurfaceFold = field(init=False)
    access: AccessFold = field(init=False)

    def __post_init__(self) -> None:
        """Let surfaces and access of the batch speak through the same events, rechecks and alerts."""
        self.surfaces = SurfaceFold(
            memory=self.memory.surfaces,
            papers=self.papers,
            say=self._say,
            events=self.events,
            rechecks=self.rechecks,
        )
        self.access = AccessFold(
            memory=self.memory.access,
            surfaces=self.memory.surfaces,
            say=self._say,
            rechecks=self.rechecks,
        )

    def add_runs(self, runs: Iterable[Run]) -> None:
        """Judge runs in order; those of monitors that are gone, paused or changed meanwhile are let go."""
        for run in runs:
            watched = self.memory.watched.get(run.monitor_id)
            if watched is None or watched.monitor.paused:
                continue
            if run.monitor_version == watched.monitor.version:
                self._add_run(run, watched.monitor)

    def _add_run(self, run: Run, monitor: Monitor) -> None:
        before = self._state(monitor, run.started_at)
        verdict = judge(before, {run.region: run.outcome}, policy=monitor.policy, at=run.started_at)
        self.runs.append(run)
        if verdict.recheck:
            self.rechecks.add(monitor.id)
        else:
            self.rechecks.discard(monitor.id)
        if verdict.memory is not before:
            self._settle(monitor, verdict.memory, transition=verdict.transition, at=run.started_at)
        self.access.follow(run, monitor)
        surface = run.observation.surface
        if surface is not None:
            self.surfaces.follow(run, surface, monitor)

    def impose(
        self, monitor: Monitor, state: State, *, at: datetime, failure: Failure | None = None
    ) -> None:
        """Set a state that is said and not seen: paused, unknown after a pause, unknown because it cannot be run."""
        before = self._state(monitor, at)
        if (before.state, before.failure) == (state, failure):
            return
        is_news = before.state is not state
        after = MonitorState(
            monitor_id=monitor.id,
            tenant=monitor.tenant,
            since=at if is_news else before.since,
            state=state,
            failure=failure,
        )
        transition = Transition(
            monitor_id=monitor.id, tenant=monitor.tenant, at=at, before=before.state, after=state,
            failure=failure,
        ) if is_news else None  # fmt: skip
        self._settle(monitor, after, transition=transition, at=at)

    def concern(
        self, monitor: Monitor, topic: str, concern: Concern | None, *, at: datetime
    ) -> None:
        """Say how a matter beside the monitor's state stands; None when there is nothing (any more) to tell.

        It may be called at every run: what is said already is not said again, and nothing is written for it.
        """
        known = self._open_alert(alerting.alert_key(monitor.id, topic))
        if known is None and concern is None:
            return
        change = alerting.follow_concern(
            known, monitor=monitor, concern=concern, at=at, new_id=self.new_id()
        )
        if change is not None:
            self._owe(monitor, change, at=at)

    def _say(self, monitor: Monitor, topic: str, concern: Concern | None, at: datetime) -> None:
        self.concern(monitor, topic, concern, at=at)

    def _state(self, monitor: Monitor, at: datetime) -> MonitorState:
        known = self.states.get(monitor.id) or self.memory.states.get(monitor.id)
        return known or fresh_state(monitor.id, monitor.tenant, at)

    def _settle(
        self, monitor: Monitor, after: MonitorState, *, transition: Transition | None, at: datetime
    ) -> None:
        self.states[monitor.id] = after
        if transition is not None:
            self.transitions.append(transition)
            self.events.append(_state_event(monitor, transition))
        if after.state is State.UNKNOWN or (transition is None and after.failure is None):
            return
        key = alerting.alert_key(monitor.id)
        change = alerting.follow(
            self._open_alert(key), monitor=monitor, state=after, at=at, new_id=self.new_id()
        )
        if change is not None:
            self._owe(monitor, change, at=at)

    def _open_alert(self, key: str) -> Alert | None:
        alert = self.newest.get(key) or self.memory.alerts.get(key)
        return None if alert is None or alert.state is AlertState.RESOLVED else alert

    def _owe(self, monitor: Monitor, change: AlertChange, *, at: datetime) -> None:
        alert, event = change.alert, change.event
        self.alerts[alert.id] = self.newest[alert.key] = alert
        if event is None:
            return
        self.deliveries += routing.deliveries(
            alert,
            event=event,
            monitor=monitor,
            routes=self.memory.routes.values(),
            channels=self.memory.channels,
            at=at,
        )
        self.events.append(_alert_event(monitor, alert, event=event, at=at))

    def batch(self) -> Batch:
        """Everything that one commit must write."""
        return Batch(
            runs=tuple(self.runs),
            states=tuple(self.states.values()),
            transitions=tuple(self.transitions),
            alerts=tuple(self.alerts.values()),
            deliveries=tuple(self.deliveries),
            events=tuple(self.events),
            snapshots=tuple(self.surfaces.snapshots.values()),
            drifts=tuple(self.surfaces.written.values()),
            surface_changes=tuple(self.surfaces.changes),
            settlements=tuple(self.surfaces.settlements),
        )

    def apply(self) -> None:
        """The batch is committed: make the memory say the same."""
        self.memory.states.update(self.states)
        self.surfaces.apply()
        self.access.apply()
        for key, alert in self.newest.items():
            if alert.state is AlertState.RESOLVED:
                self.memory.alerts.pop(key, None)
            else:
                self.memory.alerts[key] = alert


def _state_event(monitor: Monitor, transition: Transition) -> Event:
    return Event(
        type="monitor.state",
        at=transition.at,
        tenant=monitor.tenant,
        monitor_id=monitor.id,
        data={
            "name": monitor.name,
            "slug": monitor.slug,
            "kind": monitor.kind,
            "before": transition.before.value,
            "state": transition.after.value,
            "failure": failure_json(transition.failure),
        },
    )


def _alert_event(monitor: Monitor, alert: Alert, *, event: AlertEvent, at: datetime) -> Event:
    return Event(
        type=ALERT_EVENT_TYPE[event],
        at=at,
        tenant=monitor.tenant,
        monitor_id=monitor.id,
        data={
            "alert_id": alert.id,
            "name": monitor.name,
            "slug": monitor.slug,
            "severity": alert.severity.value,
            "state": alert.state.value,
            "title": alert.title,
            "failure": failure_json(alert.failure),
        },
    )


def failure_json(failure: Failure | None) -> dict[str, str] | None:
    """A failure as an event carries it: without its evidence, which is for the monitor's own page."""
    if failure is None:
        return None
    return {
        "layer": failure.layer,
        "code": failure.code,
        "reason": failure.reason.value,
        "message": failure.message,
        "remedy": failure.remedy,
    }

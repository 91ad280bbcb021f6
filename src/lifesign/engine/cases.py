"""What is remembered of monitors that look slow or are told to be, and how their periods are judged. No I/O here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lifesign.core.alerting import Concern, alert_key
from lifesign.core.drift.values import Release
from lifesign.core.latency import (
    REGRESSION,
    RELEASE_FACTOR,
    SLOW_BURN,
    TOPIC,
    Baseline,
    Pace,
    Period,
    Slice,
    Yardstick,
    judge_growth,
    judge_latency,
    limit_ms,
    past_until,
    release_in_force,
)
from lifesign.core.messages import Alert
from lifesign.core.model import Failure, Monitor

_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Case:
    """One monitor's pace, and its baseline until an hour."""

    pace: Pace
    until: datetime | None = None
    baseline: Baseline | None = None


@dataclass(slots=True)
class Saying:
    """What is to be told of a monitor from now on; None ends what is told."""

    monitor_id: str
    concern: Concern | None
    at: datetime


class Cases:
    """The cases by monitor. Where an alert is open from before a restart, its case goes on from there."""

    def __init__(self, alerts: Mapping[str, Alert]) -> None:
        self._alerts = alerts
        self._kept: dict[str, Case] = {}
        self.releases: Mapping[str, Sequence[Release]] = {}
        """Announced releases by monitor, back to those whose effect may still be told."""

    def has(self, monitor_id: str) -> bool:
        """Whether something is remembered or told of a monitor."""
        case = self._kept.get(monitor_id)
        if case is None:
            return alert_key(monitor_id, TOPIC) in self._alerts
        return not case.pace.is_at_rest

    def of(self, monitor_id: str) -> Case:
        """What is remembered of a monitor, or the beginning of it."""
        case = self._kept.get(monitor_id)
        if case is not None:
            return case
        alert = self._alerts.get(alert_key(monitor_id, TOPIC))
        if alert is None:
            return Case(Pace())
        failure = alert.failure or Failure("latency", "unknown", alert.title)
        since = None if failure.code == SLOW_BURN else alert.opened_at
        concern = Concern(TOPIC, alert.severity, alert.title, failure)
        return Case(Pace(since=since, concern=concern))

    def forget(self, is_judged: Callable[[str], bool], now: datetime) -> None:
        """Let go of monitors that are no longer judged, and of those that have been at rest for an hour."""
        for monitor_id, case in list(self._kept.items()):
            is_old = case.until is None or case.until < now - _HOUR
            if not is_judged(monitor_id) or (case.pace.is_at_rest and is_old):
                del self._kept[monitor_id]

    def looks_slow(self, monitor: Monitor, period: Period, usual_ms: float) -> bool:
        """Whether a period is worth judging, given what was usual when that was last read (0: not known)."""
        release = release_in_force(self.releases.get(monitor.id, ()), period.ended)
        return usual_ms > 0 and period.p95_ms > limit_ms(usual_ms, _factor(monitor, release))

    def past_until(self, monitor_id: str, case: Case, period: Period) -> datetime:
        """The hour at which the past ends that a period is held against."""
        until = past_until(case.pace, period, self._release(monitor_id, case, period))
        return until.replace(minute=0, second=0, microsecond=0)

    def judge(
        self, monitor: Monitor, case: Case, periods: list[Period], *, restarted_s: float
    ) -> Saying | None:
        """Judge periods in order, and take them out of the list; what is to be said, where that changed.

        It stops where another release begins to count: the rest is held against another past.
        """
        self._kept[monitor.id] = case
        before, at = case.pace.concern, periods[0].ended
        release = self._release(monitor.id, case, periods[0])
        while periods and self._release(monitor.id, case, periods[0]) is release:
            period = periods.pop(0)
            at = period.ended
            if case.baseline is None:
                # Nothing is known to be usual, so nothing is unusual.
                case.pace = Pace()
                continue
            case.pace = judge_latency(
                case.pace,
                period,
                Yardstick(case.baseline, _factor(monitor, release), release),
                restarted_at=_restarted_at(restarted_s, self.releases.get(monitor.id, ()), period),
                most=monitor.severity,
            )
        return _change(monitor, before, case, at)

    def judge_growth(
        self, monitor: Monitor, past: Sequence[Slice], *, until: datetime, at: datetime
    ) -> Saying | None:
        """Compare the weeks; what is to be said, where that changed."""
        case = self.of(monitor.id)
        before = case.pace.concern
        case.pace = judge_growth(case.pace, past, until=until, most=monitor.severity)
        saying = _change(monitor, before, case, at)
        if saying is not None:
            self._kept[monitor.id] = case
        return saying

    def _release(self, monitor_id: str, case: Case, period: Period) -> Release | None:
        told = case.pace.concern is not None and case.pace.concern.failure.code == REGRESSION
        return release_in_force(self.releases.get(monitor_id, ()), period.ended, is_told=told)


def _change(monitor: Monitor, before: Concern | None, case: Case, at: datetime) -> Saying | None:
    concern = case.pace.concern
    return None if concern is before else Saying(monitor.id, concern, at)


def _factor(monitor: Monitor, release: Release | None) -> float:
    factor = monitor.policy.latency_factor or float("inf")
    return factor if release is None else min(factor, RELEASE_FACTOR)


def _restarted_at(
    restarted_s: float, releases: Iterable[Release], period: Period
) -> datetime | None:
    """When the target was last started anew before the end of a period, as far as it was seen or announced."""
    signs = [at for each in releases for at in (each.starts_at, each.ends_at)]
    if restarted_s:
        signs.append(datetime.fromtimestamp(restarted_s, UTC))
    return max((at for at in signs if at <= period.ended), default=None)

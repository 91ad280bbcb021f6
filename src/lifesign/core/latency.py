"""Whether a monitor became slow: baselines of its past, and periods that are held against them. Pure.

1. Good runs are gathered into periods of 5 minutes or 5 runs, whichever is longer; each has a p95.
2. The baseline is the p95 of the 7 days before the trouble, or of 30 days where so much is known.
3. Three slow periods in a row are told, three good ones end it. An elevation that begins right after the target
   was started anew is told only once it has lasted 20 minutes, because caches fill in that time.
4. What grows too slowly for that is seen by comparing this week with the week four weeks ago.

Which run is left out as a cold start is decided by `is_left_out`, before a period is made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lifesign.core.alerting import Concern
from lifesign.core.drift.values import Release
from lifesign.core.model import Failure, Reason, Severity
from lifesign.core.rollup import Histogram

TOPIC: Final = "latency"
OVER_BASELINE: Final = "p95_over_baseline"
REGRESSION: Final = "latency_regression"
SLOW_BURN: Final = "slow_burn"

PERIOD_S: Final = 300.0
PERIOD_RUNS: Final = 5
"""Of fewer runs the p95 would be their slowest one; of five it is the second slowest, so that one slow run alone
never makes a period slow."""
PERIODS: Final = 3
"""Slow periods in a row that are told, and good ones in a row that end it."""

MIN_RUNS: Final = 100
"""Runs of a baseline: five of them are above its p95, so that no single one decides what is usual. A monitor that
runs once an hour has them after four days; one that runs every minute is held up by `MIN_SPAN` instead."""
MIN_SPAN: Final = timedelta(hours=24)
"""A baseline has seen a whole day, because many targets are slower at some hour of it."""
WEEK: Final = timedelta(days=7)
MONTH: Final = timedelta(days=30)

FLOOR_MS: Final = 50.0
"""A p95 is slow only when it is also this much above what it is held against: 2 ms that become 7 ms hurt nobody."""
RELEASE_FACTOR: Final = 1.5
RELEASE_WATCH: Final = timedelta(hours=24)
"""How long after an announced release the stricter factor holds."""
NEW_NORMAL: Final = timedelta(days=7)
"""An elevation that has lasted so long begins to count as the past that later periods are held against."""

WARMING: Final = timedelta(minutes=20)
RESTART_REACH: Final = timedelta(minutes=10)
"""An elevation that begins so soon after a restart is taken for caches that fill."""

IDLE_S: Final = 300.0
"""A host that was left alone for so long may have gone to sleep: the first run wakes it."""

BURN_FACTOR: Final = 1.5
BURN_END: Final = 1.4
"""Growth below this ends a slow burn; the gap keeps it from being told and ended day by day."""
FOUR_WEEKS: Final = timedelta(days=28)
READ_BACK: Final = FOUR_WEEKS + WEEK
"""How far back the past must be read for everything here."""
_ONE_DAY: Final = timedelta(days=1)
_YOUNG: Final = WEEK + _ONE_DAY


@dataclass(frozen=True, slots=True)
class Slice:
    """How long the good runs of a stretch of time took."""

    start: datetime
    end: datetime
    latency: Histogram


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual: the p95 of so many runs over so many days (7 or 30)."""

    p95_ms: float
    runs: int
    days: int


@dataclass(frozen=True, slots=True)
class Period:
    """The p95 of the good runs of one period."""

    began: datetime
    ended: datetime
    p95_ms: float
    runs: int


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a period is held against: so many times the baseline, or what was usual before a release."""

    baseline: Baseline
    factor: float
    release: Release | None = None

    @property
    def limit_ms(self) -> float:
        """What a p95 must exceed to be slow."""
        return limit_ms(self.baseline.p95_ms, self.factor)


@dataclass(frozen=True, slots=True)
class Pace:
    """What is remembered from period to period.

    `since` is when the elevation began, `warming` whether that was right after a restart. `concern` is what is told.
    """

    slow: int = 0
    good: int = 0
    since: datetime | None = None
    warming: bool = False
    concern: Concern | None = None

    @property
    def is_at_rest(self) -> bool:
        """Whether there is nothing to remember."""
        return self.slow == 0 and self.concern is None

    @property
    def is_told(self) -> bool:
        """Whether slow periods are told now."""
        return self.concern is not None and self.concern.failure.code != SLOW_BURN


def limit_ms(usual_ms: float, factor: float) -> float:
    """What a p95 must exceed to be slow, given what is usual."""
    return max(factor * usual_ms, usual_ms + FLOOR_MS)


def is_left_out(*, gap_s: float, interval_s: float, after_lone_timeout: bool) -> bool:
    """Whether a good run shows a host that woke up and not how fast it is.

    The first run after `IDLE_S` without any wakes a host that sleeps when idle. A monitor that always runs that rarely
    sees a woken host every time, which is then what is usual: for it only a longer gap than its own counts. A single
    time-out followed by a success is the same thing seen with a shorter time-out; several of them are an outage.
    """
    return after_lone_timeout or gap_s >= max(IDLE_S, 1.5 * interval_s)


def is_young(created_at: datetime | None, at: datetime) -> bool:
    """Whether a monitor's past is to be read hour by hour, because a whole day may hold very little of it."""
    return created_at is not None and at - created_at < _YOUNG


def baseline_of(slices: Iterable[Slice], *, until: datetime) -> Baseline | None:
    """The baseline that ends at an instant; None while too little is known.

    Slices that reach beyond either end are passed over. It spans 30 days where data is that old, else 7. The age of
    the data is counted from the end of the oldest slice, because a slice of a day may hold its last minute only.
    """
    known = [each for each in slices if each.end <= until and each.latency.buckets]
    if not known:
        return None
    oldest = min(each.end for each in known)
    days = MONTH if oldest <= until - MONTH + _ONE_DAY else WEEK
    window = [each for each in known if each.start >= until - days]
    found = _usual(window)
    if found is None:
        return None
    p95_ms, runs = found
    return Baseline(p95_ms, runs, days.days)


def _usual(slices: Sequence[Slice]) -> tuple[float, int] | None:
    """The p95 of a stretch and its runs; None when it has too few, or all from within less than a day."""
    latency = Histogram().merge(*(each.latency for each in slices))
    p95_ms = latency.quantile(0.95)
    if p95_ms is None or latency.count < MIN_RUNS:
        return None
    span = max(each.end for each in slices) - min(each.end for each in slices)
    return (p95_ms, latency.count) if span >= MIN_SPAN else None


def release_in_force(
    releases: Iterable[Release], at: datetime, *, is_told: bool = False
) -> Release | None:
    """The newest release that is over and whose effect is still watched; longer while a regression is told."""
    watch = NEW_NORMAL if is_told else RELEASE_WATCH
    over = [each for each in releases if each.ends_at <= at <= each.ends_at + watch]
    return max(over, key=lambda each: each.ends_at, default=None)


def past_until(pace: Pace, period: Period, release: Release | None) -> datetime:
    """Where the past ends that a period is held against: before the release, or before the elevation began.

    Without that end, an elevation would become its own baseline within hours and end by itself.
    """
    if release is not None:
        return max(release.starts_at, period.ended - NEW_NORMAL - RELEASE_WATCH)
    return max(pace.since or period.began, period.ended - NEW_NORMAL)


def judge_latency(
    pace: Pace,
    period: Period,
    yardstick: Yardstick,
    *,
    restarted_at: datetime | None = None,
    most: Severity = Severity.MEDIUM,
) -> Pace:
    """Hold one more period against what is usual.

    `restarted_at` is when the target was last seen to begin anew (it came back, it says another version, a release
    began); `most` is the monitor's severity, which the concern never exceeds.
    """
    if period.p95_ms <= yardstick.limit_ms:
        return _after_good(pace)
    begins = pace.since is None
    pace = replace(
        pace,
        slow=pace.slow + 1,
        good=0,
        since=period.began if begins else pace.since,
        warming=_is_warming(period, restarted_at) if begins else pace.warming,
    )
    if pace.is_told or pace.slow < PERIODS or _may_still_warm_up(pace, period):
        return pace
    return replace(pace, concern=_slow(pace, period, yardstick, most))


def _after_good(pace: Pace) -> Pace:
    if not pace.is_told:
        return Pace(concern=pace.concern)
    good = pace.good + 1
    return Pace() if good >= PERIODS else replace(pace, slow=0, good=good)


def _is_warming(period: Period, restarted_at: datetime | None) -> bool:
    """Whether an elevation that begins with this period began right after a restart."""
    if restarted_at is None:
        return False
    return restarted_at <= period.ended and period.began <= restarted_at + RESTART_REACH


def _may_still_warm_up(pace: Pace, period: Period) -> bool:
    return pace.warming and pace.since is not None and period.ended - pace.since <= WARMING


def judge_growth(
    pace: Pace, slices: Sequence[Slice], *, until: datetime, most: Severity = Severity.LOW
) -> Pace:
    """Compare this week with the week four weeks ago; what is told of slow periods goes before it."""
    if pace.is_told:
        return pace
    now, then = _week(slices, until), _week(slices, until - FOUR_WEEKS)
    factor = BURN_FACTOR if pace.concern is None else BURN_END
    if now is None or then is None or now[0] <= limit_ms(then[0], factor):
        return replace(pace, concern=None)
    if pace.concern is not None:
        return pace
    return replace(pace, concern=_growing(now[0], then[0], most))


def _week(slices: Sequence[Slice], until: datetime) -> tuple[float, int] | None:
    return _usual([each for each in slices if until - WEEK <= each.start and each.end <= until])


def with_phase(
    concern: Concern, now_ms: Mapping[str, float], usual_ms: Mapping[str, float]
) -> Concern:
    """The concern with the phase that grew most, given the p95 of each phase now and usually."""
    growth = {name: ms - usual_ms[name] for name, ms in now_ms.items() if name in usual_ms}
    name = max(growth, key=lambda each: growth[each], default="")
    if not name or growth[name] <= 0:
        return concern
    failure = concern.failure
    grew = f" The phase {name} grew most: {_ms(now_ms[name])}, usually {_ms(usual_ms[name])}."
    return replace(concern, failure=replace(failure, message=failure.message + grew))


def _slow(pace: Pace, period: Period, yardstick: Yardstick, most: Severity) -> Concern:
    usual, p95 = yardstick.baseline, period.p95_ms
    ratio = p95 / usual.p95_ms if usual.p95_ms else 0.0
    seen = (
        f"The p95 of the response time was {_ms(p95)} over the newest {period.runs} runs and above"
        f" {_ms(yardstick.limit_ms)} for {pace.slow} periods in a row"
    )
    if yardstick.release is not None:
        code, than = REGRESSION, f"before the release it was {_ms(usual.p95_ms)}"
        title = f"slower since the release (p95 {_ms(p95)}, {ratio:.1f} times as much)"
        remedy = "Compare the phases before and after the release, and roll it back if the callers cannot wait."
    else:
        code, than = OVER_BASELINE, f"usual is {_ms(usual.p95_ms)}"
        title = f"slow (p95 {_ms(p95)}, {ratio:.1f} times the usual)"
        remedy = "See in the chart when it began and which phase grew: the network, TLS or the server itself."
    message = f"{seen}; {than} ({usual.runs} runs of {usual.days} days)."
    return _concern(code, title, message, remedy, min(Severity.MEDIUM, most, key=_rank))


def _growing(now_ms: float, then_ms: float, most: Severity) -> Concern:
    message = (
        f"The p95 of the response time was {_ms(now_ms)} over the last 7 days and {_ms(then_ms)}"
        " in the same week four weeks ago; no single period was slow enough to be told."
    )
    remedy = (
        "Look for what grows with time: tables, logs, lists, queues, connections that stay open."
    )
    title = f"slower week by week (p95 {_ms(now_ms)}, {_ms(then_ms)} four weeks ago)"
    return _concern(SLOW_BURN, title, message, remedy, min(Severity.LOW, most, key=_rank))


def _concern(code: str, title: str, message: str, remedy: str, severity: Severity) -> Concern:
    failure = Failure("latency", code, message, Reason.LATENCY_DEGRADED, remedy)
    return Concern(TOPIC, severity, title, failure)


def _rank(severity: Severity) -> int:
    return severity.rank


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"

"""How the pages speak: sentences, lengths of time, percentages and names of layers."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from lifesign.core.batch import Event
from lifesign.core.ladder import title_of
from lifesign.core.messages import AlertState
from lifesign.core.model import State
from lifesign.core.wording import span
from lifesign.service.views import AlertView, Health, MonitorView
from lifesign.store.monitors import slugify

STATE_WORD = {
    State.UP: "Up",
    State.DEGRADED: "Degraded",
    State.DOWN: "Down",
    State.UNKNOWN: "Unknown",
    State.MAINTENANCE: "Maintenance",
    State.PAUSED: "Paused",
}
ALERT_WORD = {
    AlertState.FIRING: "Firing",
    AlertState.ACKNOWLEDGED: "Acknowledged",
    AlertState.RESOLVED: "Resolved",
}
_EVENT_WORDS = {
    "monitor.added": "was added",
    "monitor.changed": "was changed",
    "monitor.removed": "was removed",
    "monitor.drift": "publishes something else than before",
    "monitor.drift_accepted": "has a new baseline",
    "monitor.surface_unstable": "swings between versions of its surface",
    "monitor.surface_stable": "publishes one surface again",
    "monitor.baseline_pinned": "has a pinned baseline",
    "monitor.baseline_unpinned": "has a baseline that time may move again",
    "release.announced": "was announced",
    "release.cancelled": "was taken back",
    "alert.fired": "raised an alert",
    "alert.escalated": "got worse",
    "alert.acknowledged": "was acknowledged",
    "alert.resolved": "recovered; its alert is closed",
    "delivery.sent": "was told",
    "delivery.failed": "could not be told",
}


def percent(fraction: float | None) -> str:
    """A share of one as `99.98 %`, cut and never rounded up, so 100 means all of it. None is a dash."""
    if fraction is None:
        return "–"
    exact = Decimal(str(min(1.0, max(0.0, fraction)))) * 100
    if exact == exact.to_integral_value():
        return f"{int(exact)} %"
    places = Decimal("0.001") if exact > Decimal("99.99") else Decimal("0.01")
    cut = exact.quantize(places, rounding=ROUND_FLOOR)
    return f"{cut.normalize():f} %"


def milliseconds(value: float | None) -> str:
    """Milliseconds as people read them: `4.2 ms`, `143 ms`, `1.25 s`. None is a dash."""
    if value is None:
        return "–"
    if value >= 10_000:
        return f"{value / 1000:.1f} s"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def seconds(value: float) -> str:
    """Seconds as exact words of every day: `1 h 4 min`, `41 s`, `none` for nothing."""
    whole = round(value)
    if whole <= 0:
        return "none"
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def size(value: int | None) -> str:
    """Bytes in decimal units with at most one digit after the point: `412 MB`. None is a dash."""
    if value is None:
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def ago(instant: datetime | None, *, now: datetime) -> str:
    """How long ago: `6 min ago`; `just now` under five seconds, `in 2 h` for the future."""
    if instant is None:
        return "never"
    if instant > now:
        return f"in {span(instant, now)}"
    if (now - instant).total_seconds() < 5:
        return "just now"
    return f"{_largest(span(now, instant))} ago"


def lasting(since: datetime, *, now: datetime) -> str:
    """How long something has lasted: `6 min`, `2 h 5 min`."""
    return _largest(span(now, since))


def state_for(monitor: MonitorView, *, now: datetime) -> str:
    """The state and for how long: `Down for 6 min`."""
    word = STATE_WORD[monitor.state]
    if monitor.since is None:
        return "Waiting for its first result" if monitor.state is State.UNKNOWN else word
    return f"{word} for {lasting(monitor.since, now=now)}"


def note(monitor: MonitorView) -> str:
    """The one line under a monitor's name: what is wrong, or what it is."""
    if monitor.paused:
        return "Paused: nothing is checked and nobody is told."
    if monitor.failure is not None and monitor.state not in (State.UP, State.MAINTENANCE):
        return f"{title_of(monitor.failure.layer)}: {monitor.failure.message}"
    if monitor.suspect:
        return "The last check failed and is being confirmed."
    if monitor.flapping:
        return "Flapping: it keeps changing between up and down."
    if monitor.last_run is not None and monitor.last_run.facts.get("auth.state") == "required":
        return f"Sign-in required: {monitor.target} asks for a credential, as it should."
    return monitor.target


def headline(health: Health) -> tuple[str, str]:
    """The first sentence of the overview, as its loud part (may be empty) and its calm rest."""
    total = sum(health.monitors.values())
    fine = health.monitors.get(State.UP, 0) + health.monitors.get(State.MAINTENANCE, 0)
    paused = health.monitors.get(State.PAUSED, 0)
    watched = total - paused
    rest = _fine(fine, watched)
    if health.unacknowledged_alerts:
        count = health.unacknowledged_alerts
        if count == 1:
            return "1 thing", f" needs you. {rest}"
        return f"{count} things", f" need you. {rest}"
    if health.open_alerts:
        return "", f"Nothing new needs you: {_known(health.open_alerts)} being worked on. {rest}"
    if fine < watched:
        return "", f"Nothing needs you right now. {rest}"
    return "", rest


def subline(alerts: tuple[AlertView, ...], *, now: datetime) -> str:
    """The sentence under the headline: since when the oldest open alert stands, and who has it."""
    if not alerts:
        return "No alert is open."
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    oldest = min(firing or alerts, key=lambda alert: alert.opened_at)
    since = f"{oldest.monitor_name} since {oldest.opened_at.strftime('%H:%M UTC')}"
    length = span(now, oldest.opened_at)
    if firing:
        return f"{since}, {length}. Nobody has taken it yet."
    names = sorted({alert.acknowledged_by for alert in alerts if alert.acknowledged_by})
    return f"{since}, {length}. Taken by {', '.join(names) or 'somebody'}."


def topic_of(alert: AlertView) -> str:
    """What an alert is about: `monitor` for the monitor itself, else a concern beside its state."""
    return alert.key.partition("/")[0]


def concern_word(alert: AlertView) -> str:
    """The concern of an alert in a word or two; empty for the monitor's own alert."""
    topic = topic_of(alert)
    return (
        ""
        if topic in CONCERN_NONE
        else CONCERN_WORD.get(topic, topic.replace("_", " ").capitalize())
    )


CONCERN_NONE = frozenset({"monitor"})
CONCERN_WORD = {
    "drift": "Drift",
    "divergence": "Regions disagree",
    "latency": "Slower than usual",
    "credential": "Credential",
}


def told(event: Event) -> tuple[str, str, State | None]:
    """A line of the feed: whom it is about, what happened, and the state that it shows."""
    data = event.data
    name = _text(data, "name", "monitor_name", "title") or "A monitor"
    if event.type == "monitor.state":
        after = _state(_text(data, "state", "after"))
        word = STATE_WORD[after].lower() if after else "in another state"
        failure = data.get("failure")
        broken = _text(failure, "layer") if isinstance(failure, Mapping) else ""
        is_fine = after in (State.UP, State.PAUSED, State.MAINTENANCE)
        return (
            name,
            f"is {word}" + (f": {title_of(broken)}" if broken and not is_fine else ""),
            after,
        )
    if event.type.startswith("release."):
        note = _text(data, "note")
        name = f"The release {note}" if note else "A release"
    if event.type.startswith("delivery."):
        name = _text(data, "channel") or "A channel"
    words = _EVENT_WORDS.get(event.type, event.type.replace(".", " "))
    by = _text(data, "by", "acknowledged_by", "actor")
    if by and event.type in _DONE_BY:
        words += f", by {by}" if event.type.startswith("monitor.b") else f" by {by}"
    return name, words, _EVENT_STATE.get(event.type)


_DONE_BY = frozenset(
    {
        "alert.acknowledged", "monitor.added", "monitor.changed", "monitor.baseline_pinned",
        "monitor.baseline_unpinned", "release.announced", "release.cancelled",
    }
)  # fmt: skip
_EVENT_STATE = {
    "monitor.drift": State.DEGRADED,
    "monitor.surface_unstable": State.DEGRADED,
    "monitor.drift_accepted": State.UP,
    "alert.fired": State.DOWN,
    "alert.escalated": State.DOWN,
    "alert.resolved": State.UP,
    "delivery.failed": State.DEGRADED,
}


def _fine(fine: int, watched: int) -> str:
    if watched == 0:
        return "Everything is paused."
    if fine == watched:
        return "It is fine." if watched == 1 else f"All {watched} are fine."
    return f"{fine} of {watched} {'is' if fine == 1 else 'are'} fine."


def _known(count: int) -> str:
    return "1 known problem is" if count == 1 else f"{count} known problems are"


def _largest(length: str) -> str:
    """`6 min 12 s` without its seconds; from an hour on the second unit says too much to drop."""
    parts = length.split()
    return " ".join(parts[:2]) if parts[1] in ("min", "s") else length


def _text(data: Mapping[str, object], *names: str) -> str:
    for name in names:
        value = data.get(name)
        if isinstance(value, str) and value:
            return value[:200]
    return ""


def _state(word: str) -> State | None:
    return State(word) if word in set(State) else None


def is_namesake(monitor: MonitorView) -> bool:
    """Whether another had the name first, so that the slug got a number and has to tell the two apart."""
    return re.fullmatch(re.escape(slugify(monitor.name)) + r"-\d+", monitor.slug) is not None

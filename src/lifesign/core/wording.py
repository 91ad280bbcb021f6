"""What an alert says to people, the same in every channel: a line, then the sentences, then the link."""

from datetime import datetime

from lifesign.core.messages import Alert, AlertEvent
from lifesign.core.model import Monitor

_WORD = {
    AlertEvent.FIRED: "DOWN",
    AlertEvent.ESCALATED: "WORSE",
    AlertEvent.ACKNOWLEDGED: "ACKNOWLEDGED",
    AlertEvent.RESOLVED: "RESOLVED",
}


MONITOR = "monitor"
"""The topic of a monitor's own alert; the others are concerns beside its state."""


def topic_of(alert: Alert) -> str:
    """What an alert is about: the monitor itself, or a concern such as `drift`."""
    return alert.key.partition("/")[0]


def title(alert: Alert, *, event: AlertEvent, monitor: Monitor) -> str:
    """The subject line, such as `[DOWN] shop is down: tcp / refused` or `[DRIFT] shop: a tool is gone`."""
    topic = topic_of(alert)
    if topic != MONITOR and event is not AlertEvent.ACKNOWLEDGED:
        word = topic.upper() if event is AlertEvent.FIRED else _WORD[event]
        return f"[{word}] {alert.title}"
    if event is AlertEvent.RESOLVED:
        return f"[RESOLVED] {monitor.name} has recovered"
    if event is AlertEvent.ACKNOWLEDGED:
        return f"[ACKNOWLEDGED] {monitor.name}, by {alert.acknowledged_by or 'somebody'}"
    word = "DEGRADED" if " is degraded" in alert.title else _WORD[event]
    return f"[{word}] {alert.title}"


def text(
    alert: Alert, *, event: AlertEvent, monitor: Monitor, target: str, ladder: str, link: str
) -> str:
    """The body: what, since when, why, what to do, where to look."""
    failure = alert.failure
    lines = [
        f"{monitor.name} ({monitor.kind}, {target})"
        if target
        else f"{monitor.name} ({monitor.kind})"
    ]
    if event is AlertEvent.RESOLVED and alert.resolved_at is not None:
        lasted = span(alert.resolved_at, alert.opened_at)
        word = "Recovered" if topic_of(alert) == MONITOR else "Over since"
        lines.append(f"{word} {_clock(alert.resolved_at)} after {lasted}.")
    else:
        lines.append(f"Since {_clock(alert.opened_at)}. Severity {alert.severity.value}.")
    if failure is not None:
        lines += ["", ("It was: " if event is AlertEvent.RESOLVED else "") + failure.message]
        if failure.remedy and event is not AlertEvent.RESOLVED:
            lines.append(f"What to do: {failure.remedy}")
    if ladder and event is not AlertEvent.RESOLVED:
        lines += ["", ladder]
    if monitor.runbook_url:
        lines += ["", f"Runbook: {monitor.runbook_url}"]
    if link:
        lines += ["", link]
    return "\n".join(lines)


def span(until: datetime, since: datetime) -> str:
    """A length of time in its two largest units: `2 h 5 min`, `41 s`."""
    seconds = max(0, round((until - since).total_seconds()))
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((index for index, (amount, _) in enumerate(parts) if amount), 3)
    shown = [
        f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount or first == 3
    ]
    return " ".join(shown)


def _clock(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")

"""What a run's facts give cause to tell beside the state of its monitor. Pure."""

from datetime import UTC, datetime, timedelta

from lifesign.core.alerting import Concern
from lifesign.core.model import Facts, Failure, Monitor, Reason, Severity

CREDENTIAL_TOPIC = "credential"
ACCESS_TOPIC = "access"
SIGN_IN = "auth.state"
"""The fact in which kinds say where their target stands in matters of sign-in."""
REQUIRED = "required"
"""What it says of a target that asks strangers to sign in, as it should, and whom we have no credential for."""

_STAGES = (
    (timedelta(0), Severity.HIGH),
    (timedelta(hours=24), Severity.MEDIUM),
    (timedelta(hours=72), Severity.LOW),
)
"""How little is left of a credential, and how much that matters then; told before it is too late, and thrice at most."""

_KNOWN_FROM = {
    "jwt": "the token says so itself",
    "oauth": "the authorization server said so and gives no new one",
    "entered": "it was entered in the monitor",
    "certificate": "the client certificate says so",
}
_REMEDY = "Give this monitor a new credential before that: without one it goes blind, and the server itself is not to blame."
_TOO_LATE = "Give this monitor a new credential: it is blind until then, and the server itself is not to blame."


def access_concern(facts: Facts, *, monitor: Monitor) -> Concern | None:
    """That a target which was open to anybody asks for a credential now; None when that is said to be meant.

    It is meant when a condition of the monitor asks where the target stands.
    """
    if facts.get(SIGN_IN) != REQUIRED or any(SIGN_IN in text for text in monitor.conditions):
        return None
    failure = Failure(
        "auth",
        REQUIRED,
        "It was open to anybody, and now it asks clients to sign in: callers without a credential are locked out, and"
        " what it publishes cannot be seen any more.",
        Reason.AUTH_WALLED,
        'If that is meant, give this monitor a credential, or the condition `auth.state == "required"`; if not, look'
        " at what was deployed or put in front of it.",
    )
    return Concern(ACCESS_TOPIC, _capped(Severity.HIGH, monitor), "it asks to sign in now", failure)


def blind_concern(failure: Failure, *, monitor: Monitor) -> Concern:
    """That the monitor has no credential because it cannot get one: it sees nothing, and its state, unknown, tells nobody."""
    return Concern(
        CREDENTIAL_TOPIC, _capped(Severity.HIGH, monitor), "it gets no credential", failure
    )


def _capped(severity: Severity, monitor: Monitor) -> Severity:
    """A concern matters no more than its monitor does."""
    return min(severity, monitor.severity, key=lambda each: each.rank)


def credential_concern(facts: Facts, *, monitor: Monitor, now: datetime) -> Concern | None:
    """That the monitor's own credential runs out within three days, or has; None while there is time.

    The texts name the instant and not what is left, so that they stay the same from run to run.
    """
    end = _instant(facts.get("credential.expires_at"))
    if end is None:
        return None
    left = end - now
    wanted = next((severity for limit, severity in _STAGES if left <= limit), None)
    if wanted is None:
        return None
    is_over = left <= timedelta(0)
    when = f"{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    verb = "expired" if is_over else "expires"
    known = _KNOWN_FROM.get(str(facts.get("credential.source", "")), "")
    failure = Failure(
        "credential",
        "expired" if is_over else "expiring",
        f"The credential of this monitor {verb} at {when}{f': {known}' if known else ''}.",
        Reason.CREDENTIAL_EXPIRED,
        _TOO_LATE if is_over else _REMEDY,
    )
    title = f"its credential {verb} on {when}"
    return Concern(CREDENTIAL_TOPIC, _capped(wanted, monitor), title, failure)


def _instant(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None

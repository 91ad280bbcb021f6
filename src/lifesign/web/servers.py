"""An MCP server as its monitor's page shows it: who it says it is, whether it asks to sign in, its checks of their own period.

All of it is read from the facts of the newest run, so a page needs nothing that a run did not see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from lifesign.core.model import Facts, State
from lifesign.core.wording import span
from lifesign.service.views import RunView
from lifesign.web.phrases import milliseconds, seconds

CREDENTIAL_SOON = timedelta(hours=72)
"""From here on the watchdog of credentials tells, so the page marks it as well."""
MAX_CHECKS = 120
MAX_PARTS = 40


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the server deals with credentials: a word beside the state, the look of it, and what it means."""

    word: str
    look: State
    meaning: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """When the credential of a monitor runs out, and how that is known."""

    at: datetime
    look: State
    source: str


@dataclass(frozen=True, slots=True)
class SideCheck:
    """A check beside the handshake: `sort` of check, its name, how it went, when it was looked at."""

    sort: str
    name: str
    state: State
    took_ms: float | None
    checked_at: datetime | None
    detail: str
    parts: tuple[tuple[str, State], ...] = ()


_SIGN_IN: Mapping[str, SignIn] = MappingProxyType(
    {
        "required": SignIn(
            "sign-in required",
            State.UP,
            "It asks strangers to sign in and tells clients how. Give this monitor a credential to look behind it.",
        ),
        "healthy": SignIn(
            "signed in",
            State.UP,
            "The credential of this monitor is taken.",
        ),
        "walled": SignIn(
            "sign-in fails",
            State.DOWN,
            "The server does not let the credential of this monitor in.",
        ),
        "broken": SignIn(
            "sign-in broken",
            State.DOWN,
            "Clients cannot find out how to sign in, or are refused badly.",
        ),
    }
)
_TRANSPORTS = MappingProxyType(
    {"http": "Streamable HTTP", "sse": "HTTP+SSE, the old pair of addresses", "stdio": "stdio"}
)
_FRAMINGS = MappingProxyType({"json": "JSON replies", "sse": "event-stream replies"})
_ERAS = MappingProxyType({"modern": "stateless", "legacy": "with a handshake"})
_SOURCES = MappingProxyType(
    {
        "jwt": "its token says so",
        "oauth": "the authorization server said so",
        "entered": "as entered",
        "certificate": "its client certificate says so",
    }
)
_NAMED = MappingProxyType({"canary": "Canary", "health": "Health URL"})
_SINGLE = MappingProxyType(
    {
        "resources": "Resource",
        "prompts": "Prompt",
        "completion": "Completion",
        "stream": "Stream",
        "session_calls": "Session",
    }
)
_OWN = frozenset({"state", "duration_ms", "checked_at"})
_STATES = frozenset({State.UP, State.DEGRADED, State.DOWN})
_ELSEWHERE = (
    "canary.", "health.", "resources.", "prompts.", "completion.", "stream.", "session_calls.",
    "surface.", "tools.names", "server.", "credential.", "auth.state", "era", "transport",
    "framing", "protocol_version",
)  # fmt: skip
"""Facts that have a place of their own on the page."""


def identity(facts: Facts) -> tuple[tuple[str, str], ...]:
    """What the server says of itself and how it was spoken to, as (label, words); nothing for other kinds."""
    transport = _TRANSPORTS.get(_text(facts, "transport"), "")
    framing = _FRAMINGS.get(_text(facts, "framing"), "")
    lines = (
        ("server", " ".join(filter(None, (_text(facts, "server.name"), _text(facts, "server.version"))))),
        ("protocol", ", ".join(filter(None, (_text(facts, "protocol_version"), _ERAS.get(_text(facts, "era"), ""))))),
        ("transport", ", ".join(filter(None, (transport, framing if transport else "")))),
    )  # fmt: skip
    return tuple((label, words) for label, words in lines if words)


def sign_in(facts: Facts) -> SignIn | None:
    """The sign-in state worth a word; None when the server is open to all, or is no such server."""
    return _SIGN_IN.get(_text(facts, "auth.state"))


def expiry(facts: Facts, *, now: datetime) -> Expiry | None:
    """When the credential runs out, if that is known."""
    at = _instant(facts.get("credential.expires_at"))
    if at is None:
        return None
    left = at - now
    look = (
        State.DOWN
        if left <= timedelta()
        else State.DEGRADED
        if left <= CREDENTIAL_SOON
        else State.UP
    )
    return Expiry(at, look, _SOURCES.get(_text(facts, "credential.source"), ""))


def expiry_words(found: Expiry, *, now: datetime) -> str:
    """`expires in 6 h 58 min`, `expired 2 d ago`."""
    if found.at <= now:
        return f"expired {span(now, found.at)} ago"
    return f"expires in {span(found.at, now)}"


def side_checks(run: RunView | None) -> tuple[SideCheck, ...]:
    """The checks with a period of their own, what is not well first."""
    if run is None:
        return ()
    found = [_check(sort, name, run.facts, prefix) for sort, name, prefix in _prefixes(run.facts)]
    order = (State.DOWN, State.DEGRADED, State.UP)
    return tuple(sorted(found, key=lambda each: order.index(each.state))[:MAX_CHECKS])


def other_facts(facts: Facts) -> tuple[tuple[str, object], ...]:
    """The facts that the page shows nowhere else."""
    is_server = "server.name" in facts or "auth.state" in facts or "transport" in facts
    return tuple(
        (name, value)
        for name, value in facts.items()
        if value is not None and not (is_server and name.startswith(_ELSEWHERE))
    )


def _prefixes(facts: Facts) -> Sequence[tuple[str, str, str]]:
    """Each check that told its state: its sort, its name, and how the names of its facts begin."""
    found = []
    for fact, value in facts.items():
        words = fact.split(".")
        if words[-1] != "state" or value not in _STATES:
            continue
        if len(words) == 3 and words[0] in _NAMED:
            found.append((_NAMED[words[0]], words[1], fact.removesuffix("state")))
        elif len(words) == 2 and words[0] in _SINGLE:
            found.append((_SINGLE[words[0]], "", fact.removesuffix("state")))
    return found


def _check(sort: str, name: str, facts: Facts, prefix: str) -> SideCheck:
    own = {key[len(prefix) :]: value for key, value in facts.items() if key.startswith(prefix)}
    took = own.get("duration_ms")
    return SideCheck(
        sort=sort,
        name=name,
        state=State(str(own["state"])),
        took_ms=float(took) if isinstance(took, int | float) else None,
        checked_at=_instant(own.get("checked_at")),
        detail=" · ".join(_words(key, value) for key, value in own.items() if _is_told(key, value)),
        parts=_parts(own),
    )


def _is_told(key: str, value: object) -> bool:
    return key not in _OWN and not key.startswith("components.") and value not in (None, "")


def _words(key: str, value: object) -> str:
    """A fact as its name and value: `status 200`, `first progress 51 ms`, `age 41 s`."""
    name = key.replace("_", " ").replace(".", " ")
    if isinstance(value, bool):
        return name if value else f"not {name}"
    if isinstance(value, int | float):
        if key.endswith("_ms"):
            return f"{name.removesuffix(' ms')} {milliseconds(value)}"
        if key.endswith("_s"):
            return f"{name.removesuffix(' s')} {seconds(value) if value >= 1 else 'just now'}"
        return f"{name} {value:g}"
    return str(value) if key in ("uri", "name") else f"{name} {value}"


def _parts(own: Mapping[str, object]) -> tuple[tuple[str, State], ...]:
    prefix = "components."
    parts = [
        (key[len(prefix) :], State(str(value)) if value in set(State) else State.UNKNOWN)
        for key, value in own.items()
        if key.startswith(prefix)
    ]
    return tuple(parts[:MAX_PARTS])


def _text(facts: Facts, name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None

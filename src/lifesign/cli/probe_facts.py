"""The few facts of a probe that people ask for first, in words: for `lifesign probe` in a terminal."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from lifesign.cli.output import clean
from lifesign.core.model import Facts

_MOST_ANSWERS = 5
_ANSWER_CHARS = 45
"""Room for any IPv6 address."""
_MOST_CHARS = 260
_LISTED_CHARS = 700
_LISTS = frozenset({"tools", "canaries"})
_MOST_TOOLS = 12
_NAME_CHARS = 40
_SHORT_CHARS = 60
_STANDINGS: Mapping[str, str] = MappingProxyType(
    {
        "open": "not asked for",
        "healthy": "the credential is taken",
        "walled": "something is wrong behind it",
        "broken": "not as it should be",
    }
)


def told_facts(facts: Facts) -> Iterator[tuple[str, str]]:
    """(label, text) of what is there, safe to print; everything else stands in `--json`."""
    for label, text in _told(facts):
        if text:
            yield label, clean(text, _LISTED_CHARS if label in _LISTS else _MOST_CHARS)


def in_short(facts: Facts) -> str:
    """Who answered, in a few words for a table; safe to print."""
    server = f"{facts.get('server.name', '')} {facts.get('server.version', '')}".strip()
    count = facts.get("tools.count")
    tools = "" if count is None else f"{count} tools"
    asked = "asks for sign-in" if facts.get("auth.state") == "required" else ""
    return clean(" · ".join(filter(None, (server, tools, asked))), _SHORT_CHARS)


def _told(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "status", _word(facts.get("status", facts.get("http.status")))
    yield "answers", _listed(facts.get("answers"))
    yield "expires", _expiry(facts)
    yield (
        "server",
        " ".join(
            filter(None, (_word(facts.get("server.name")), _word(facts.get("server.version"))))
        ),
    )
    yield "protocol", _protocol(facts)
    yield "sign-in", _sign_in(facts)
    yield "credential", _credential(facts)
    yield "tools", _tools(facts)
    yield "canaries", _canaries(facts)
    yield "surface", _word(facts.get("surface.digest"))


def _word(value: object) -> str:
    return "" if value is None else str(value)


def _listed(answers: object) -> str:
    """The first records, cut one by one so that a long one does not hide the others."""
    if not isinstance(answers, list):
        return ""
    shown = [clean(str(each), _ANSWER_CHARS) for each in answers[:_MOST_ANSWERS]]
    more = len(answers) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _expiry(facts: Facts) -> str:
    days = facts.get("tls.days_left")
    if not isinstance(days, int | float):
        return ""
    when = _word(facts.get("tls.not_after")).partition("T")[0]
    return f"in {days:.0f} days ({when})" if days >= 0 else f"{-days:.0f} days ago ({when})"


def _protocol(facts: Facts) -> str:
    """The revision, and how it was spoken: `2025-11-25, legacy era, over http with a session`."""
    version = _word(facts.get("protocol_version"))
    if not version:
        return ""
    session = " with a session" if facts.get("session") else ""
    return f"{version}, {facts.get('era', '')} era, over {facts.get('transport', '')}{session}"


def _sign_in(facts: Facts) -> str:
    """Where the server stands; one that asks for a credential as it should is well."""
    state = _word(facts.get("auth.state"))
    if state != "required":
        return _STANDINGS.get(state, state)
    scopes = facts.get("auth.scopes")
    wanted = [_word(facts.get("auth.scheme")), _word(facts.get("auth.issuer"))]
    if isinstance(scopes, list) and scopes:
        wanted.append("scope " + " ".join(str(each) for each in scopes[:5]))
    shown = ", ".join(filter(None, wanted))
    return f"required, and asked for as it should be ({shown})" if shown else "required"


def _credential(facts: Facts) -> str:
    seconds = facts.get("credential.expires_in_s")
    if not isinstance(seconds, int | float):
        return ""
    when = _word(facts.get("credential.expires_at")).replace("T", " ")[:16]
    hours = abs(seconds) / 3600
    span = f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.1f} hours"
    return f"ends in {span} ({when})" if seconds >= 0 else f"ended {span} ago ({when})"


def _tools(facts: Facts) -> str:
    """How many, and the first names."""
    count, names = facts.get("tools.count"), facts.get("tools.names")
    if not isinstance(names, list) or not names or not isinstance(count, int):
        return _word(count)
    shown = ", ".join(clean(str(name), _NAME_CHARS) for name in names[:_MOST_TOOLS])
    more = count - min(len(names), _MOST_TOOLS)
    return f"{count}: {shown}" + (f" and {more} more" if more > 0 else "")


def _canaries(facts: Facts) -> str:
    told = []
    for name, known in canaries_of(facts).items():
        took = known.get("duration_ms")
        span = f" ({took:.0f} ms)" if isinstance(took, int | float) else ""
        told.append(f"{clean(name, _NAME_CHARS)} {known.get('state', 'unknown')}{span}")
    more = len(told) - _MOST_TOOLS
    return ", ".join(told[:_MOST_TOOLS]) + (f" and {more} more" if more > 0 else "")


def canaries_of(facts: Facts) -> Mapping[str, Mapping[str, object]]:
    """What is known of each canary, by its name."""
    found: dict[str, dict[str, object]] = {}
    for fact, value in facts.items():
        family, _, rest = fact.partition(".")
        name, dot, word = rest.rpartition(".")
        if family == "canary" and dot:
            found.setdefault(name, {})[word] = value
    return found

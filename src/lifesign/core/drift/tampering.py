"""What in a new text for models asks for a closer look: signs of tool poisoning, told without an accusation.

Every sign also occurs in honest texts. That is why a sign only counts where it is new (the earlier text did not have
it), why milder signs count in changed texts of tools only, and why a sign says what was seen and not what is meant by it.
"""

import re
from collections.abc import Callable, Iterator

SUSPICIOUS: frozenset[str] = frozenset(
    {"description_suspicious", "title_suspicious", "instructions_suspicious"}
)
"""The codes of text changes that hold such a sign; they are told as loudly as a flipped safety hint."""

_QUOTED = 60
_TEXT_LIMIT = 100_000

_STEERING = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:previous|prior|earlier|above|all|any|other)\b[^.\n]{0,30}"
    r"\b(?:instruction|rule|prompt|message|tool|guideline)s?"
    r"|\b(?:do not|don't|never|without)\s+(?:\w+\s+){0,2}?(?:tell|telling|mention|mentioning|inform|informing|reveal|"
    r"revealing|show|showing|notify|notifying|ask|asking|alert|alerting)\b[^.\n]{0,30}\b(?:user|human|person|anyone|them)\b"
    r"|\b(?:system prompt|hidden instruction|secret instruction)s?\b"
    r"|<\s*/?\s*(?:important|system|secret|instructions?)\s*>"
    r"|<!--",
    re.IGNORECASE,
)
"""Instructions that override others, conceal something from people, or are marked up as if from the system."""

_SECRETS = re.compile(
    r"~/\.(?:ssh|aws|cursor|config|gnupg)\b|\bid_rsa\b|\bmcp\.json\b|/etc/(?:passwd|shadow)\b"
    r"|\b(?:private key|environment variables|chat history|conversation history)\b",
    re.IGNORECASE,
)
"""Places and things that a tool's text has seldom a reason to name."""

_URGING = re.compile(
    r"\byou (?:must|should|have to)\b|\b(?:always|must|first) (?:call|use|run|invoke|read|send|pass|include|prefer)\b"
    r"|\b(?:before|after) (?:calling|using|running|invoking|answering)\b|\binstead of\b",
    re.IGNORECASE,
)
"""Milder: orders to the model, which honest descriptions also give."""

_URL = re.compile(r"\bhttps?://([^\s/\"'<>)\]]+)", re.IGNORECASE)
_HIDDEN = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x1b"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]|(?<=[!-~])[\u200c\u200d](?=[!-~])"
)
"""Zero-width, bidirectional, tag and escape characters; joiners only between ASCII, since scripts and emoji need them."""

_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
_WORD = re.compile(r"[\w-]+(?:[./:][\w-]+)*")
_MARKED = re.compile(r"`([^`\s]{1,128})`")
_DISTINCTIVE = re.compile(r"[_\-./:0-9]|[a-z][A-Z]")
"""What tells a tool's name from an ordinary word."""


IsOther = Callable[[str], bool]
"""Whether a word is the name of another tool of the server."""


def nobody(word: str) -> bool:
    """For texts that have no neighbours."""
    del word
    return False


def signs(
    before: str, after: str, *, is_other: IsOther = nobody, is_mild: bool = True
) -> list[str]:
    """What a closer look should start with, one phrase each; nothing when `after` brings no new sign.

    `is_other` knows the names of the server's other tools. `is_mild` also counts the signs that honest texts often hold.
    """
    old, new = before[:_TEXT_LIMIT], after[:_TEXT_LIMIT]
    found = [*_strong(old, new)]
    if is_mild:
        found += _mild(old, new, is_other)
    return found


def _strong(old: str, new: str) -> Iterator[str]:
    for pattern, what in (
        (_STEERING, "an instruction that overrides or conceals"),
        (_SECRETS, "a place where secrets are kept"),
    ):
        said = _first_new(pattern, old, new)
        if said:
            yield f"{what} ({said!r})"
    hidden = sorted(
        {f"U+{ord(each):04X}" for each in set(_HIDDEN.findall(new)) - set(_HIDDEN.findall(old))}
    )
    if hidden:
        yield f"characters that cannot be seen ({', '.join(hidden[:5])})"
    if _first_new(_BLOB, old, new):
        yield "a long encoded block"


def _mild(old: str, new: str, is_other: IsOther) -> Iterator[str]:
    said = _first_new(_URGING, old, new)
    if said:
        yield f"an order to the model ({said!r})"
    known = {host.lower() for host in _URL.findall(old)}
    hosts = [host for host in _URL.findall(new) if host.lower() not in known]
    if hosts:
        yield f"a new address ({hosts[0][:_QUOTED]})"
    named = {name for name in _mentioned(new) if is_other(name)}
    named = named and named - _mentioned(old)
    if named:
        yield f"the name of another tool ({min(named)[:_QUOTED]})"


def _first_new(pattern: re.Pattern[str], old: str, new: str) -> str:
    """The first thing said in `new` and not in `old`, which is only looked through when there is something to find."""
    said = [found.group() for found in pattern.finditer(new)]
    known = {found.group().lower() for found in pattern.finditer(old)} if said else set()
    return next((each[:_QUOTED] for each in said if each.lower() not in known), "")


def _mentioned(text: str) -> set[str]:
    """What a text may name a tool by: words that are no ordinary ones, and whatever stands in code marks."""
    words = {word for word in _WORD.findall(text) if _DISTINCTIVE.search(word)}
    return words | set(_MARKED.findall(text))

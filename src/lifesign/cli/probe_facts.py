"""The few facts of a probe that people ask for first, in words: for `lifesign probe` in a terminal."""

from collections.abc import Iterator

from lifesign.cli.output import clean
from lifesign.core.model import Facts

_MOST_ANSWERS = 5
_ANSWER_CHARS = 45
"""Room for any IPv6 address."""
_MOST_CHARS = 260


def told_facts(facts: Facts) -> Iterator[tuple[str, str]]:
    """(label, text) of what is there, safe to print; everything else stands in `--json`."""
    for label, text in _told(facts):
        if text:
            yield label, clean(text, _MOST_CHARS)


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
    yield "tools", _word(facts.get("tools.count"))


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

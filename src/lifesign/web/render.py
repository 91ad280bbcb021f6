"""Templates to responses: one strict, always escaping environment."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from lifesign.core.ladder import title_of
from lifesign.core.model import Severity, State
from lifesign.core.units import format_duration
from lifesign.web import chart, drift, phrases, servers
from lifesign.web.assets import Assets

TEMPLATES = Path(__file__).parent / "templates"
MAX_TEXT = 2000


class Renderer:
    """Renders the templates of this package; what they show is escaped without exception."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            asset=assets.url,
            States=State,
            Severities=Severity,
            state_word=phrases.STATE_WORD,
            impacts=drift.IMPACTS,
        )
        self._environment.filters.update(_filters())

    def page(
        self, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> HTMLResponse:
        """The response that shows `template`; private, never kept by a cache."""
        text = self._environment.get_template(template).render(context)
        return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def bounded(value: object, limit: int = MAX_TEXT) -> str:
    """Text from a watched thing, cut to `limit` characters and without control characters."""
    text = str(value)
    kept = "".join(letter for letter in text[:limit] if letter.isprintable() or letter in "\n\t")
    return kept + (" …" if len(text) > limit else "")


def ticks(text: object) -> Markup:
    """Escaped text in which `names between backticks` are set as code."""
    parts = str(escape(text)).split("`")
    if len(parts) % 2 == 0:
        return Markup("`").join(Markup(part) for part in parts)  # noqa: S704 - escaped above
    pieces = (f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
    return Markup("".join(pieces))  # noqa: S704 - escaped above


def lower_first(words: str) -> str:
    """Words for the middle of a sentence; what begins with several capitals keeps them."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def clock_text(instant: datetime | None) -> str:
    """An instant in full: `2026-11-20 14:03:05 UTC`."""
    return "never" if instant is None else instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def hour_text(instant: datetime) -> str:
    """An instant on its own day: `14:03`."""
    return instant.strftime("%H:%M")


def every(interval_s: float) -> str:
    """An interval as people write it: `30s`, `5m`."""
    return format_duration(timedelta(seconds=interval_s))


def _filters() -> dict[str, Callable[..., object]]:
    return {
        "percent": phrases.percent,
        "ms": phrases.milliseconds,
        "seconds": phrases.seconds,
        "size": phrases.size,
        "layer": title_of,
        "ago": phrases.ago,
        "lasting": phrases.lasting,
        "state_for": phrases.state_for,
        "note": phrases.note,
        "concern": phrases.concern_word,
        "namesake": phrases.is_namesake,
        "bounded": bounded,
        "short": partial(bounded, limit=300),
        "clock": clock_text,
        "hour": hour_text,
        "every": every,
        "iso": datetime.isoformat,
        "ticks": ticks,
        "measured": chart.measured,
        "revealed": drift.revealed,
        "digest": drift.short_digest,
        "counts": drift.count_words,
        "settled": drift.settled_words,
        "place": drift.place_words,
        "expiry": servers.expiry_words,
        "lines": lambda text: text.count("\n") + 1,
        "lower_first": lower_first,
    }

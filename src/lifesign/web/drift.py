"""Drift in words: impacts, lines of a timeline, changes grouped by whom they hurt, hidden characters made visible."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup, escape

from lifesign.core.drift.tampering import SUSPICIOUS
from lifesign.core.drift.values import Change, Impact
from lifesign.service.surface_views import PlaceView, SurfaceChangeView, SurfaceView

FIRST = 5
"""Changes that a banner tells; the comparison has all of them."""
MAX_TEXT = 600

_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
"""What draws nothing or turns the line around: controls, zero-width, bidirectional, fillers, variation selectors, tags."""


@dataclass(frozen=True, slots=True)
class ImpactWords:
    """An impact for people: a word, and whom it hurts."""

    word: str
    gloss: str


IMPACTS: Mapping[Impact, ImpactWords] = MappingProxyType(
    {
        Impact.BREAKING: ImpactWords("Breaking", "a call that worked may fail now"),
        Impact.HINT: ImpactWords(
            "Safety hints", "clients may stop asking before a tool is run, or begin to"
        ),
        Impact.TEXT: ImpactWords(
            "Wording", "what a model reads is different, so it may choose otherwise"
        ),
        Impact.ADDITIVE: ImpactWords("Added", "there is more than before; what worked still works"),
        Impact.INFO: ImpactWords("Information", "names and versions"),
    }
)


@dataclass(frozen=True, slots=True)
class Told:
    """One change as it is shown."""

    change: Change

    @property
    def is_suspicious(self) -> bool:
        """Whether the new text holds signs of tool poisoning."""
        return self.change.code in SUSPICIOUS


@dataclass(frozen=True, slots=True)
class Group:
    """All changes of one impact."""

    impact: Impact
    changes: tuple[Told, ...]

    @property
    def words(self) -> ImpactWords:
        """The impact in words."""
        return IMPACTS[self.impact]


def groups_of(changes: Sequence[Change]) -> tuple[Group, ...]:
    """The changes by impact, worst first; within one, what may be poisoned goes first."""
    told = sorted(map(Told, changes), key=lambda each: not each.is_suspicious)
    groups = (
        Group(impact, tuple(each for each in told if each.change.impact is impact))
        for impact in Impact
    )
    return tuple(group for group in groups if group.changes)


def first_of(changes: Sequence[Change]) -> tuple[Told, ...]:
    """The first changes that a banner tells, worst first and suspicious texts before others."""
    told = sorted(
        map(Told, changes), key=lambda each: (-each.change.impact.rank, not each.is_suspicious)
    )
    return tuple(told[:FIRST])


def count_words(counts: Mapping[str, int]) -> str:
    """`2 breaking, 1 added`."""
    return ", ".join(
        f"{count} {_COUNTED[Impact(impact)]}" for impact, count in counts.items() if count
    )


_COUNTED: Mapping[Impact, str] = MappingProxyType(
    {
        Impact.BREAKING: "breaking",
        Impact.HINT: "of safety hints",
        Impact.TEXT: "of wording",
        Impact.ADDITIVE: "added",
        Impact.INFO: "informative",
    }
)


def drifted_places(view: SurfaceView) -> tuple[PlaceView, ...]:
    """Where something else than the accepted surface is published, one place for each pair of surfaces."""
    pairs = {(each.baseline, each.digest): each for each in reversed(view.places) if each.drifted}
    return tuple(reversed(pairs.values()))


def place_words(place: PlaceView, view: SurfaceView) -> str:
    """What tells a place from the others; nothing when there is only one."""
    if len(view.places) <= 1:
        return ""
    seen = "with the credential" if place.audience else "without a credential"
    audiences = {each.audience for each in view.places}
    return f"{place.region}, {seen}" if len(audiences) > 1 else place.region


def settled_words(line: SurfaceChangeView) -> str:
    """What became of a line of the timeline."""
    by = line.accepted_by
    if not by:
        return "not accepted: this is drift"
    if by in _SETTLED:
        return _SETTLED[by]
    return f"accepted with the {by}" if by.startswith("release ") else f"accepted by {by}"


_SETTLED: Mapping[str, str] = MappingProxyType(
    {
        "auto": "accepted by itself, as it stayed",
        "reverted": "went away: the earlier surface is back",
        "superseded": "no longer seen: the monitor has another credential",
    }
)


def short_digest(digest: str) -> str:
    """A digest by its first twelve digits, which tell any two surfaces of one monitor apart."""
    version, colon, digits = digest.partition(":")
    return f"{version}:{digits[:12]}" if colon else digest[:12]


def revealed(text: object, limit: int = MAX_TEXT) -> Markup:
    """Escaped text of a watched thing in which every character that cannot be seen stands as its number, cut to `limit`."""
    said = str(text)
    pieces: list[str] = []
    end = 0
    kept = said[:limit]
    for found in _HIDDEN.finditer(kept):
        number = f"U+{ord(found.group()):04X}"
        pieces += [str(escape(kept[end : found.start()])), f'<mark class="unseen">{number}</mark>']
        end = found.end()
    pieces.append(str(escape(kept[end:])))
    cut = " …" if len(said) > limit else ""
    return Markup("".join(pieces) + cut)  # noqa: S704 - every piece of theirs is escaped above

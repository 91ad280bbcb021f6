"""One difference between two schemas: what it is, where it stands, and what it does to the values that are admitted."""

from dataclasses import dataclass
from enum import StrEnum

from lifesign.core.drift.canonical import Plain


class Effect(StrEnum):
    """What a difference does to the set of admitted values."""

    NARROWED = "narrowed"
    WIDENED = "widened"
    CHANGED = "changed"
    """Neither contains the other, or it cannot be told."""
    ADDED = "added"
    """There is a new member that may be left out."""
    TEXT = "text"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a schema: the way to it (`properties.filter.items`), its name for people (`filter[]`), its level."""

    path: str = ""
    name: str = ""
    level: int = 0

    def within(self, path: str, name: str = "") -> "Place":
        """A schema within this one; `name` is what people call it beyond the name of this one."""
        dot = "." if self.name and name and not name.startswith("[") else ""
        return Place(_joined(self.path, path), f"{self.name}{dot}{name}", self.level + 1)

    def at(self, keyword: str) -> "Place":
        """A keyword of this schema."""
        return Place(_joined(self.path, keyword), self.name, self.level)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `kind` is `removed`, `type`, `enum`, `description` and the like; `before` and `after` the values."""

    kind: str
    effect: Effect
    place: Place
    before: Plain
    after: Plain


def _joined(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step

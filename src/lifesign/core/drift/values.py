"""The values of drift: changes, what is remembered between looks, what people accepted and announced."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lifesign.core.model import DEFAULT_REGION, DEFAULT_TENANT


class Impact(StrEnum):
    """Whom a change hurts, worst first."""

    BREAKING = "breaking"
    """A call that worked may fail now."""
    HINT = "hint"
    """A safety hint flipped: clients may stop asking before a tool is run."""
    TEXT = "text"
    """What a model reads changed and nothing else: it may choose otherwise, or was told to."""
    ADDITIVE = "additive"
    """There is more than before; whatever worked still works."""
    INFO = "info"
    """Names and versions."""

    @property
    def rank(self) -> int:
        """Position on the scale: info 0 … breaking 4."""
        return len(Impact) - 1 - list(Impact).index(self)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two surfaces.

    `code` is `tool_removed`, `parameter_type_changed` and the like; `subject` what changed (`tool search`), `path`
    where within it (`inputSchema.properties.query.type`); `before` and `after` are short JSON texts, cut at 300
    characters; `message` is one sentence for people. All of it comes from the watched thing: untrusted text.
    """

    code: str
    impact: Impact
    subject: str
    path: str
    before: str
    after: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What is remembered of a monitor's surface, as one audience sees it from one region.

    `baseline` is the accepted digest, `current` the confirmed one: they differ while there is drift. `candidate` was
    seen once and waits for a second look. `recent` is empty while nothing changes; a change opens it as a window over
    the digests of the last looks, oldest first, and ten equal looks close it. `steady` counts the looks of that window
    that were the same since the last change. A list that swings (A, B, A, B) is `unstable`.
    """

    monitor_id: str
    tenant: str = DEFAULT_TENANT
    region: str = DEFAULT_REGION
    audience: str = ""
    baseline: str
    baseline_since: datetime
    pinned: bool = False
    current: str
    current_since: datetime
    candidate: str = ""
    recent: tuple[str, ...] = ()
    steady: int = 0
    unstable: bool = False

    @property
    def is_drifted(self) -> bool:
        """Whether something else is published than what was accepted."""
        return self.current != self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An announced change: drift within the window is accepted. `digest` narrows it to one expected surface."""

    id: str
    monitor_id: str
    tenant: str = DEFAULT_TENANT
    starts_at: datetime
    ends_at: datetime
    digest: str = ""
    note: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceChange:
    """One confirmed change of a surface: a line of the timeline.

    `accepted_by` is empty while it is drift; else who or what accepted it: a person, `release …`, `auto`.
    """

    id: str
    monitor_id: str
    tenant: str = DEFAULT_TENANT
    region: str = DEFAULT_REGION
    audience: str = ""
    at: datetime
    before: str
    after: str
    impact: Impact
    changes: tuple[Change, ...] = ()
    accepted_at: datetime | None = None
    accepted_by: str = ""

"""How Lifesign itself is: counts, lateness, storage."""

from collections.abc import Mapping
from typing import Protocol

from lifesign.core.scope import Scope
from lifesign.service.views import Health


class EngineGauges(Protocol):
    """What the engine says of itself; the composition root hands its reading over."""

    def __call__(self) -> Mapping[str, float]:
        """`late_p50_ms`, `late_p99_ms`, `late_max_ms`, `runs_total`, `running`; what is absent is 0."""


class Status:
    """The operations on Lifesign's own health."""

    async def health(self, scope: Scope) -> Health:
        """Counts by state and kind, open alerts, lateness, storage, and what is wrong in words."""
        raise NotImplementedError

    async def counts(self, scope: Scope) -> Mapping[str, int]:
        """How many monitors are in each state."""
        raise NotImplementedError

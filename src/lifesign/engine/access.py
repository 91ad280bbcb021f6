"""Who is let in: the monitor's own credential that runs out or cannot be had, and sign-in where there was none.

What may be over in a moment (an authorization server that stumbles, a deployment that is half done) is told once it
was seen as often as the monitor's policy confirms a failure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lifesign.core.alerting import Concern
from lifesign.core.concerns import (
    ACCESS_TOPIC,
    CREDENTIAL_TOPIC,
    REQUIRED,
    SIGN_IN,
    access_concern,
    blind_concern,
    credential_concern,
)
from lifesign.core.model import Monitor, Run
from lifesign.engine.surfaces import SurfaceMemory

EXPIRY, SOURCE = "credential.expires_at", "credential.source"
"""The facts in which kinds say when their credential ends, and how they know."""

Sight = tuple[str, str, str]
"""Topic, monitor and region."""


@dataclass(slots=True)
class AccessFold:
    """What the runs of one batch tell of access, over the memory as it was when the batch began."""

    memory: dict[Sight, int]
    """How often in a row a concern was seen, as far as that matters; a restart begins to count anew."""
    surfaces: SurfaceMemory
    say: Callable[[Monitor, str, Concern | None, datetime], None]
    """How a concern stands: `Fold.concern`."""
    rechecks: set[str]
    counted: dict[Sight, int] = field(default_factory=dict)

    def follow(self, run: Run, monitor: Monitor) -> None:
        """Follow what one run saw."""
        self._follow_credential(run, monitor)
        self._follow_sign_in(run, monitor)

    def apply(self) -> None:
        """The batch is committed."""
        for sight, count in self.counted.items():
            if count:
                self.memory[sight] = count
            else:
                self.memory.pop(sight, None)

    def _follow_credential(self, run: Run, monitor: Monitor) -> None:
        """A run that failed for another reason may not have come as far as the credential, and ends nothing."""
        seen, at = run.observation, run.started_at
        sight = (CREDENTIAL_TOPIC, monitor.id, run.region)
        if EXPIRY in seen.facts:
            concern = credential_concern(seen.facts, monitor=monitor, now=at)
        elif seen.failure is not None and seen.failure.layer == "credential":
            concern = blind_concern(seen.failure, monitor=monitor)
        elif seen.failure is not None:
            return
        else:
            concern = None
        may_pass = EXPIRY not in seen.facts or seen.facts.get(SOURCE) == "oauth"
        if concern is None or not may_pass or self._is_confirmed(sight, monitor):
            self.say(monitor, CREDENTIAL_TOPIC, concern, at)
        if concern is None:
            self._forget(sight)

    def _follow_sign_in(self, run: Run, monitor: Monitor) -> None:
        """Only what was seen without a credential before can be closed now."""
        seen, at = run.observation, run.started_at
        sight = (ACCESS_TOPIC, monitor.id, run.region)
        concern = access_concern(seen.facts, monitor=monitor)
        if concern is not None and self._was_open(run):
            if self._is_confirmed(sight, monitor):
                self.say(monitor, ACCESS_TOPIC, concern, at)
        elif seen.surface is not None or seen.facts.get(SIGN_IN) == REQUIRED:
            self._forget(sight)
            if not any(self._count((*sight[:2], region)) for region in monitor.regions):
                self.say(monitor, ACCESS_TOPIC, None, at)

    def _was_open(self, run: Run) -> bool:
        """Whether the region's surfaces were all seen as anybody sees them."""
        rows = self.surfaces.rows.get(run.monitor_id, {})
        audiences = {audience for region, audience in rows if region == run.region}
        return audiences == {""}

    def _is_confirmed(self, sight: Sight, monitor: Monitor) -> bool:
        """Count one more; False, and another look soon, while that is too few."""
        wanted = max(monitor.policy.confirmations, 1)
        count = min(self._count(sight) + 1, wanted)
        self.counted[sight] = count
        if count < wanted:
            self.rechecks.add(monitor.id)
        return count >= wanted

    def _count(self, sight: Sight) -> int:
        return self.counted.get(sight, self.memory.get(sight, 0))

    def _forget(self, sight: Sight) -> None:
        if self._count(sight):
            self.counted[sight] = 0

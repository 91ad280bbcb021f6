"""When a published surface was last seen, and by which server: what the newest runs that saw one say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lifesign.core.drift.values import Drift
from lifesign.core.model import State
from lifesign.core.scope import Scope
from lifesign.store import Store
from lifesign.store.values import StoredRun

STALE_INTERVALS = 3
"""A surface that was not seen for so many intervals is spoken of in the past."""
_FIRST_RUNS, _MOST_RUNS = 10, 300
_ANSWERED = (State.UP, State.DEGRADED)

Place = tuple[str, str]
"""Region and audience."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a surface; `server` is the name and version that the server said, empty when it said none."""

    at: datetime
    server: str


async def last_sights(
    store: Store, scope: Scope, monitor_id: str, drifts: Sequence[Drift]
) -> Mapping[Place, Sight]:
    """The newest look at every place; what none of the newest runs saw is absent.

    The newest few runs nearly always have it. During an outage only those that were answered are gone through.
    """
    found: dict[Place, Sight] = {}
    for limit, states in ((_FIRST_RUNS, None), (_MOST_RUNS, _ANSWERED)):
        if len(found) < len(drifts):
            page = await store.observations.runs(scope, monitor_id, limit=limit, states=states)
            for run in page.items:
                for drift in drifts:
                    if _is_look_at(run, drift, drifts):
                        found.setdefault((drift.region, drift.audience), _sight(run))
    return found


def _is_look_at(run: StoredRun, drift: Drift, drifts: Sequence[Drift]) -> bool:
    """Runs do not say who looked: where several audiences do, the one that was shown this surface is meant."""
    digest = run.facts.get("surface.digest")
    if digest is None or run.region != drift.region:
        return False
    is_alone = sum(each.region == drift.region for each in drifts) == 1
    return is_alone or digest in (drift.current, drift.candidate)


def _sight(run: StoredRun) -> Sight:
    said = (run.facts.get("server.name"), run.facts.get("server.version"))
    return Sight(run.started_at, " ".join(each for each in said if isinstance(each, str) and each))

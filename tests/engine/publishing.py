"""A stage whose targets publish tools, and hand over the document of them once, as the real probe does."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from engine.test_arrow import tell_all
from engine.workshop import SCOPE, Stage, StageSettings, Workshop, monitor, running, until
from lifesign.bus import Change, Topic
from lifesign.clock import SystemClock
from lifesign.core.drift.hashes import surface_of
from lifesign.core.drift.values import Drift, SurfaceChange
from lifesign.core.model import Monitor, Observation, Outcome, Policy, Run, State, Surface
from lifesign.probes.registry import ProbeContext
from lifesign.store import Store

PATIENT = Policy(confirmations=1, recoveries=1, flap_changes=0, recheck_s=3600.0)
"""No look but those that a test makes."""
MEMORY = "stage.surface"


def published(*tools: str, audience: str = "") -> Surface:
    schema = {"type": "object", "properties": {}}
    listed = [{"name": name, "inputSchema": schema} for name in tools]
    return surface_of({"tools": listed}, audience=audience)


TWO = published("search", "fetch")
ONE = published("search")
THREE = published("search", "fetch", "delete")


@dataclass
class Publisher(Stage):
    """Every look at it takes the next surface of a script; the last one stays."""

    script: list[Surface] = field(default_factory=lambda: [TWO])
    bare: bool = False
    """Whether it never hands over a document."""

    async def probe(self, settings: StageSettings, ctx: ProbeContext) -> Observation:
        seen = await super().probe(settings, ctx)
        surface = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        is_known = ctx.memory.get(MEMORY) == surface.digest or self.bare
        ctx.memory[MEMORY] = surface.digest
        return replace(seen, surface=replace(surface, document=None) if is_known else surface)


@asynccontextmanager
async def publishing(
    store: Store, stage: Publisher, *, policy: Policy = PATIENT
) -> AsyncIterator[Workshop]:
    """An engine with one monitor that is looked at once, and again only when a look asks for that."""
    if not await store.monitors.all_active():
        await tell_all(store)
        await store.monitors.add(SCOPE, monitor(interval_s=3600.0, policy=policy))
    async with running(store, stage) as workshop:
        await until(lambda: begun(store), "the first look is judged")
        yield workshop


async def feed(workshop: Workshop, *surfaces: Surface, region: str = "local") -> None:
    """Have looks judged one after the other, each in a batch of its own."""
    (watched,) = await workshop.store.monitors.all_active()
    for surface in surfaces:
        commits = workshop.engine.gauges.commits
        await workshop.bus.publish(Topic.RUNS, run_of(watched, surface, region=region))
        await until(
            lambda commits=commits: workshop.engine.gauges.commits > commits, "it is judged"
        )


async def decided(workshop: Workshop) -> None:
    """Tell the engine that somebody decided about the surface, and wait until it has taken that up."""
    memory, store = workshop.engine._memory.surfaces, workshop.store.surfaces

    async def is_taken_up() -> bool:
        rows, releases = await store.drifts(SCOPE, "m1"), await store.releases(SCOPE, "m1")
        same = tuple(memory.rows["m1"].values()) == rows
        return same and memory.releases.get("m1", ()) == releases

    await workshop.bus.publish(Topic.CHANGES, Change("surface", "m1", "default"))
    await until(is_taken_up, "it is taken up")


async def drift(store: Store) -> Drift:
    (found,) = await store.surfaces.drifts(SCOPE, "m1")
    return found


async def begun(store: Store) -> bool:
    return bool(await store.surfaces.drifts(SCOPE, "m1"))


async def timeline(store: Store) -> Sequence[SurfaceChange]:
    """Oldest first."""
    return (await store.surfaces.changes(SCOPE, "m1")).items[::-1]


def run_of(
    watched: Monitor, surface: Surface, *, region: str = "local", at: datetime | None = None
) -> Run:
    """A run as it comes from a region."""
    at = at or SystemClock().now()
    return Run(
        monitor_id=watched.id,
        slot=at,
        observation=Observation(surface=surface),
        outcome=Outcome(State.UP),
        started_at=at,
        duration_ms=1.0,
        monitor_version=watched.version,
        region=region,
    )


def later(**after: float) -> datetime:
    return SystemClock().now() + timedelta(**after)

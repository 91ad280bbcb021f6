"""A real MCP server, the real probe, the real engine: what happens when what it publishes changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from engine.publishing import begun, drift, timeline
from engine.test_arrow import tell_all
from engine.workshop import SCOPE, Stage, Workshop, monitor, opened, running, until
from lifesign.bus import Change, ChangeOf, Topic
from lifesign.core.drift.values import Impact
from lifesign.core.model import Policy, State
from lifesign.probes.registry import Kinds, load_kinds
from lifesign.store import Store
from lifesign.testing import TOOL, FaultyMCP

FETCH = {**TOOL, "name": "fetch", "description": "Fetches a page."}
BOTH = (TOOL, FETCH)
QUICK = Policy(confirmations=1, recoveries=1, recheck_s=0.01)
PATIENT = replace(QUICK, recheck_s=3600.0)


class Real(Stage):
    """The stage's channel, and every kind that there is."""

    def kinds(self) -> Kinds:
        return Kinds({**load_kinds(), **super().kinds()})


@asynccontextmanager
async def watching(
    store: Store, stage: Real, server: FaultyMCP, policy: Policy
) -> AsyncIterator[Workshop]:
    """An engine that looked at the server once, and looks again when it is asked for or thinks that it should."""
    if not await store.monitors.all_active():
        await tell_all(store)
        settings = {"url": server.url}
        await store.monitors.add(
            SCOPE,
            monitor(kind="mcp", settings=settings, interval_s=3600.0, timeout_s=5.0, policy=policy),
        )
    async with running(store, stage) as workshop:
        await until(lambda: begun(store), "the first look is judged")
        yield workshop


async def look(workshop: Workshop, times: int = 1) -> None:
    """Ask for looks, one after the other, each judged before the next."""
    gauges = workshop.engine.gauges
    for _ in range(times):
        watched = workshop.engine._memory.watched["m1"]
        await until(lambda watched=watched: not watched.busy, "the look before is over")
        runs, commits = gauges.runs, gauges.commits
        await workshop.bus.publish(Topic.CHANGES, Change("monitor", "m1", "default", ChangeOf.RUN))
        await until(
            lambda runs=runs, commits=commits: gauges.runs > runs and gauges.commits > commits,
            "it is looked at",
        )


async def test_a_tool_that_a_deployment_removed_is_told_by_the_second_look(tmp_path: Path) -> None:
    stage = Real()
    async with (
        FaultyMCP(tools=BOTH) as server,
        opened(tmp_path) as store,
        watching(store, stage, server, QUICK) as workshop,
    ):
        server.redeploy(tools=[TOOL])
        runs = workshop.engine.gauges.runs
        await workshop.bus.publish(Topic.CHANGES, Change("monitor", "m1", "default", ChangeOf.RUN))
        await until(lambda: stage.heard, "somebody is told")
        (line,) = await timeline(store)
        state = await store.monitors.state(SCOPE, "m1")

        assert workshop.engine.gauges.runs == runs + 2
        assert stage.heard[0].title.startswith("[DRIFT] m1: published surface changed")
        assert "fetch" in stage.heard[0].text
        assert line.impact is Impact.BREAKING
        assert state is not None
        assert state.state is State.UP


async def test_a_server_that_answers_now_this_now_that_is_unstable(tmp_path: Path) -> None:
    stage = Real()
    async with (
        FaultyMCP(tools=BOTH) as server,
        opened(tmp_path) as store,
        watching(store, stage, server, PATIENT) as workshop,
    ):
        before = await drift(store)
        for tools in ([TOOL], BOTH, [TOOL], BOTH):
            server.redeploy(tools=tools)
            await look(workshop)
        await until(lambda: stage.heard, "somebody is told")
        after = await drift(store)

        assert after.unstable
        assert (after.baseline, after.current) == (before.baseline, before.current)
        assert "unstable" in stage.heard[0].title
        assert await timeline(store) == ()


async def test_drift_outlives_the_process_and_needs_no_second_baseline(tmp_path: Path) -> None:
    stage = Real()
    async with FaultyMCP(tools=BOTH) as server, opened(tmp_path) as store:
        async with watching(store, stage, server, PATIENT) as workshop:
            server.redeploy(tools=[TOOL])
            await look(workshop, 2)
            first = await drift(store)
        async with watching(store, stage, server, PATIENT) as workshop:
            await look(workshop, 2)
            again = await drift(store)
            server.redeploy(tools=BOTH)
            await look(workshop, 2)
            back = await drift(store)
        lines = await timeline(store)

    assert first.is_drifted
    assert (again.baseline, again.current) == (first.baseline, first.current)
    assert not back.is_drifted
    assert [line.accepted_by for line in lines] == ["reverted", "reverted"]

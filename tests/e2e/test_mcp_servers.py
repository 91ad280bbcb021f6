"""The probe against real servers that we did not write, with the official SDK's client as the oracle."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from e2e.daemon import LIFESIGN
from e2e.mcp_servers import FAMILIES, NEEDS, OLD, Door, Running, Served, running
from e2e.official_client import Seen, see
from e2e.processes import clean_environment, until
from lifesign.clock import SystemClock
from lifesign.core.drift.hashes import surface_of
from lifesign.core.model import Observation
from lifesign.net import Net
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.lists import read_list
from lifesign.probes.mcp.client.eras import arrive
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import HANDSHAKE_VERSIONS
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.settings import MCPSettings
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext, load_kinds

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.needs(*NEEDS),
    # Apart from the other end-to-end tests: nothing is shared with them, so another worker can take these.
    pytest.mark.xdist_group("mcp-servers"),
]

DEADLINE_S = 20.0
REASONABLE_MS = {"http": 8000, "sse": 4000, "stdio": 15_000}
"""A gateway that starts a process for every request needs most of it; the others need milliseconds."""

PROBES = 100

TRIED_OUT: dict[str, Any] = {
    "canaries": [
        {"name": "sum", "tool": "get-sum", "arguments": {"a": 2, "b": 3}, "expect": ["text contains 5"]},
        {"name": "picture", "tool": "get-tiny-image", "expect": ["content.decodes == true"]},
        {
            "name": "weather",
            "tool": "get-structured-content",
            "arguments": {"location": "Chicago"},
            "expect": ['json("$.humidity") > 0'],
        },
    ],
    "resource": {},
    "prompt": {},
    "completion": {"prompt": "completable-prompt", "argument": "department", "value": "E"},
    "stream": {"tool": "trigger-long-running-operation", "arguments": {"duration": 1, "steps": 4}},
}  # fmt: skip
"""What server-everything has something for."""


@dataclass
class Watched:
    """A family that is up, and what was seen of it so far: each door is probed once and seen once by the SDK."""

    up: Running
    observed: dict[str, Observation] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)

    def doors(self, **wanted: Any) -> list[Served]:
        """The doors that are as wanted; at least one."""
        found = [each for each in self.up.served if any(matching([each.door], **wanted))]
        assert found
        return found

    async def probe(self, served: Served) -> Observation:
        """What our probe finds there."""
        if served.name not in self.observed:
            self.observed[served.name] = await probe(served)
        return self.observed[served.name]

    async def see(self, served: Served) -> Seen:
        """What the official client sees there."""
        if served.name not in self.seen:
            self.seen[served.name] = await see(served)
        return self.seen[served.name]


@pytest.fixture(scope="module")
def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp(request.param)
    with running(FAMILIES[request.param], directory) as up:
        yield Watched(up)


def families(*names: str, **wanted: Any) -> pytest.MarkDecorator:
    """Every family that has a door as wanted, or those that are named."""
    able = [name for name, family in FAMILIES.items() if any(matching(family.doors, **wanted))]
    return pytest.mark.parametrize("watched", names or able, indirect=True)


def matching(doors: Iterable[Door], **wanted: Any) -> Iterator[Door]:
    """The doors that are as wanted."""
    return (
        door for door in doors if all(getattr(door, key) == value for key, value in wanted.items())
    )


async def probe(
    served: Served, *, memory: MutableMapping[str, object] | None = None, **settings: Any
) -> Observation:
    """One run of the kind as the engine runs it."""
    given: dict[str, Any] = {"url": served.url, "era": asked_era(served)} | settings
    name = "mcp"
    if served.door.transport == "stdio":
        name, given = "mcp-stdio", {"command": list(served.command)} | settings
    kind = load_kinds()[name]
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    ctx = ProbeContext(
        Net.open(), SystemClock(), deadline, memory={} if memory is None else memory, may_spawn=True
    )
    return await observe(kind, kind.settings.model_validate(given), ctx)


def asked_era(served: Served) -> str:
    """`auto` wherever that leads to this door: a server with both eras is spoken to in the newer one."""
    has_both = served.name.startswith("sdk 2") and served.door.transport == "http"
    return "legacy" if has_both and served.door.version == OLD else "auto"


@asynccontextmanager
async def visiting(served: Served) -> AsyncIterator[Visit]:
    """A visit by our client alone; it hangs up and leaves what it was."""
    plan = Plan.of(MCPSettings.model_validate({"url": served.url, "era": asked_era(served)}))
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    lines = HTTPLines(Net.open(), plan.endpoint, deadline=deadline, phases={})
    arrival = await arrive(lines, plan.wanted, None, now=asyncio.get_running_loop().time)
    try:
        yield arrival.visit
        await arrival.visit.leave(deadline)
    finally:
        arrival.visit.close()


@families()
async def test_a_probe_finds_each_well_and_says_what_it_is(watched: Watched) -> None:
    for served in watched.doors():
        observation = await watched.probe(served)

        facts, door, family = observation.facts, served.door, watched.up.family
        told = ("server.name", "tools.count", "era", "transport", "protocol_version", "session")
        assert (served.name, observation.failure, observation.findings) == (served.name, None, ())
        assert (served.name, *(facts[name] for name in told)) == (
            served.name,
            family.server_name,
            family.tools,
            door.era,
            door.transport,
            door.version,
            door.session,
        )
        assert facts.get("framing", "") == door.framing
        assert 0 < facts["latency_ms"] < REASONABLE_MS[door.transport]
        phases = list(observation.phases_ms)
        answering = phases[: phases.index("tools_list") + 1]
        taken_ms = sum(observation.phases_ms[phase] for phase in answering)
        assert taken_ms <= facts["latency_ms"] * 1.01 + 1


@families()
async def test_what_each_publishes_is_what_the_official_client_sees(watched: Watched) -> None:
    for served in watched.doors():
        observation, seen = await watched.probe(served), await watched.see(served)

        facts, surface, expected = observation.facts, observation.surface, surface_of(seen.parts)
        assert (seen.version, seen.server_name) == (facts["protocol_version"], facts["server.name"])
        assert facts["tools.names"] == [tool["name"] for tool in seen.tools]
        assert surface is not None
        assert json.loads(surface.document or b"") == json.loads(expected.document or b"")
        assert (surface.digest, dict(surface.hashes)) == (expected.digest, dict(expected.hashes))


@families(transport="http")
async def test_tool_lists_are_the_official_clients_to_the_letter(watched: Watched) -> None:
    for served in watched.doors(transport="http"):
        async with visiting(served) as visit:
            pages = (await read_list(visit, "tools/list", step="tools_list")).pages

        tools = [tool for page in pages for tool in json.loads(page)["tools"]]
        assert tools == (await watched.see(served)).tools


@families()
async def test_one_server_has_one_digest_whatever_carries_it(watched: Watched) -> None:
    surfaces = [(await watched.probe(served)).surface for served in watched.doors()]

    assert len({surface and surface.digest for surface in surfaces}) == 1
    assert len({surface and surface.hashes["full"] for surface in surfaces}) == 1


@families(session=True)
async def test_the_server_says_that_the_session_was_ended(watched: Watched) -> None:
    for served in watched.doors(session=True):
        await watched.probe(served)

        assert served.child is not None
        served.child.says(served.door.goodbye, within=5)


@families(session=True)
async def test_a_session_that_is_gone_is_called_lost(watched: Watched) -> None:
    """Some answer 404 with an error, some 400, each with words of their own."""
    for served in watched.doors(session=True):
        async with visiting(served) as visit:
            await visit.leave(asyncio.get_running_loop().time() + DEADLINE_S)

            with pytest.raises(NetError) as lost:
                await visit.call("tools/list", {}, step="tools_list")

        failure = lost.value.failure
        assert (served.name, failure.layer, failure.code) == (
            served.name,
            "session",
            "session_lost",
        )


@families("everything", "filesystem", "framework", "handshake", "two-eras")
async def test_an_older_revision_is_agreed_on_when_it_is_asked_for(watched: Watched) -> None:
    for served in watched.doors(transport="http", version=OLD):
        for version in HANDSHAKE_VERSIONS:
            observation = await probe(served, era="legacy", protocol_version=version)

            assert (observation.failure, observation.facts["protocol_version"]) == (None, version)


@families("handshake", "two-eras")
async def test_a_host_name_that_the_sdk_does_not_know_is_named(watched: Watched) -> None:
    for served in watched.doors():
        observation = await probe(served, url=served.url.replace("127.0.0.1", "shop.localhost"))

        failure = observation.failure
        assert failure is not None
        assert (served.name, failure.layer, failure.code) == (served.name, "http", "invalid_host")


@families("everything", "two-eras")
async def test_the_command_line_says_the_same(watched: Watched) -> None:
    served = watched.up.served[0]
    observation = await watched.probe(served)

    done = await asyncio.to_thread(
        subprocess.run,
        [*LIFESIGN, "probe", served.url, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["kind"], told["state"]) == ("mcp", "up")
    for name in ("era", "transport", "protocol_version", "server.name", "surface.digest"):
        assert told["facts"][name] == observation.facts[name]


@families("everything", "two-eras")
async def test_a_hundred_probes_leave_no_session_behind(watched: Watched) -> None:
    """As many sessions are ended as were begun."""
    (served,) = watched.doors(session=True)
    child, goodbye, memory = served.child, re.compile(served.door.goodbye), {}
    assert child is not None
    ended = len(goodbye.findall(child.output)) + PROBES

    for _ in range(PROBES):
        assert (await probe(served, memory=memory)).failure is None

    assert await asyncio.to_thread(
        until,
        lambda: len(goodbye.findall(child.output)) >= ended,
        within=10,
        what=f"{ended} sessions to be ended",
    )
    assert len(goodbye.findall(child.output)) == ended


@families("everything")
async def test_all_that_can_be_tried_out_is_well(watched: Watched) -> None:
    """Canaries, a resource, a prompt, a completion and a stream of progress, over every transport."""
    for served in watched.doors():
        observation = await probe(served, **TRIED_OUT)

        facts = observation.facts
        assert (served.name, observation.failure, observation.findings) == (served.name, None, ())
        states = {name: value for name, value in facts.items() if name.endswith(".state")}
        assert {name: state for name, state in states.items() if state not in {"up", "open"}} == {}
        assert len(states) >= len(TRIED_OUT) + len(TRIED_OUT["canaries"]) - 1
        assert facts["stream.first_progress_ms"] < facts["stream.result_ms"] / 2


@families("two-eras")
async def test_a_tool_can_be_tried_out_in_both_eras(watched: Watched) -> None:
    row = {"name": "数量", "count": 2.5}
    call = {"tool": "count_00", "arguments": {"rows": [row], "region": "abc"}}
    canary = {"name": "total", **call, "expect": ['json("$.total") == 5.5']}
    for served in watched.doors():
        observation = await probe(served, canaries=[canary], prompt={"arguments": {"name": "Ada"}})

        assert (served.name, observation.failure, observation.findings) == (served.name, None, ())
        assert observation.facts["canary.total.state"] == "up"
        assert observation.facts["prompts.state"] == "up"

"""Every session that a server opened for us is ended, whatever became of the visit."""

import asyncio

import pytest

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.registry import ProbeContext
from lifesign.testing import Answer, Call, Era, FaultyMCP, Transport, error, reply
from servers.mcp_visit import GREETING, probe, where

SESSION = {"Mcp-Session-Id": "given-0815"}


def ended(server: FaultyMCP) -> list[str]:
    """The sessions that were ended, in order."""
    return [
        call.headers.get("mcp-session-id", "") for call in server.requests if call.step == "delete"
    ]


@pytest.mark.parametrize(
    "say",
    [
        lambda call: reply(call, GREETING | {"serverInfo": {}}, **SESSION),
        lambda call: reply(call, GREETING | {"protocolVersion": "1999-01-01"}, **SESSION),
        lambda call: reply(call, "nonsense", **SESSION),
        Answer(200, {**SESSION, "Content-Type": "application/json"}, b"nonsense"),
        Answer(headers={**SESSION, "Content-Type": "text/event-stream"}, chunks=(), then="end"),
        Answer(headers={**SESSION, "Content-Type": "text/event-stream"}, chunks=(), then="hang"),
    ],
)
async def test_a_session_is_ended_although_its_greeting_was_refused(say):
    async with FaultyMCP(initialize=say) as server:
        observation = await probe(server.url, within=1.0)

    assert where(observation) != "ok"
    assert ended(server) == ["given-0815"]


async def test_a_session_that_came_with_a_refused_question_is_ended():
    """Some servers open a session for whatever comes without one, and refuse the question all the same."""

    def refuse(call: Call) -> Answer:
        refusal = error(-32600, "Bad Request", status=400)(call)
        return Answer(400, {**refusal.headers, **SESSION}, refusal.body)

    async with FaultyMCP(discover=refuse) as server:
        observation = await probe(server.url, era="auto")

    assert where(observation) == "ok"
    assert set(ended(server)) == {"given-0815", "session-4711"}


async def test_a_modern_server_that_names_a_session_is_left_without_a_goodbye():
    def name(call: Call) -> Answer:
        answer = call.faithful()
        return Answer(answer.status, {**answer.headers, **SESSION}, answer.body)

    async with FaultyMCP(era=Era.MODERN, every=name) as server:
        observation = await probe(server.url, era="auto")

    assert (where(observation), observation.facts["era"]) == ("ok", "modern")
    assert all("mcp-session-id" not in call.headers for call in server.requests)
    assert ended(server) == []


@pytest.mark.parametrize("at", ["initialized", "tools_list"])
async def test_a_session_is_ended_when_the_probe_is_cancelled(at):
    async with FaultyMCP(**{at: Answer(is_silent=True)}) as server:
        task = asyncio.create_task(probe(server.url, within=30.0))
        while at not in server.steps:
            server.asked.clear()
            await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert ended(server) == ["session-4711"]


async def test_a_session_is_ended_over_a_new_connection_where_the_old_one_is_dead():
    async with FaultyMCP(
        tools_list=lambda call: Answer(
            200, call.faithful().headers, call.faithful().body, close_after=True
        ),
        delete=lambda call: Answer(raw=(), then="close") if call.nth == 1 else Answer(200),
    ) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert server.steps[-1] == "delete"


async def test_no_connection_stays_open_when_a_probe_is_cancelled():
    async with FaultyMCP(tools_list=Answer(is_silent=True)) as server:
        net, loop = Net.open(), asyncio.get_running_loop()
        context = ProbeContext(net, SystemClock(), loop.time() + 30)
        settings = MCPSettings(url=server.url, era="legacy")
        task = asyncio.create_task(watch(settings, context))
        while "tools_list" not in server.steps:
            server.asked.clear()
            await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(asyncio.gather(*server._connected), 5)


async def test_the_session_of_the_old_transport_is_never_told():
    def refuse(call: Call) -> Answer:
        return Answer(500, {}, f"no tools for {call.path.rpartition('=')[2]} now".encode())

    async with FaultyMCP(transport=Transport.SSE, tools_list=refuse) as server:
        observation = await probe(server.url, era="auto", transport="sse")

    assert where(observation) == "tools_list/error"
    assert "no tools for [redacted] now" in repr(observation)
    assert "session-4711" not in repr(observation)

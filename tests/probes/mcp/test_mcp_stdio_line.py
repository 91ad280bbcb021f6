"""Several requests at once over one line to a program."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.line import Message
from lifesign.probes.mcp.client.stdio import Launch, StdioLine, StdioLines
from lifesign.probes.mcp.client.wire import Result, request_body
from servers.programs import program


@asynccontextmanager
async def line_to(body: str) -> AsyncIterator[StdioLine]:
    now = asyncio.get_running_loop().time()
    launch = Launch(tuple(program(body)), "it")
    async with StdioLines(launch, deadline=now + 10, over=now + 12, phases={}) as lines:
        yield lines.dial("stdio")


def ping(number: int, *, deadline: float | None = None) -> Message:
    return Message(
        "tools_call", "ping", request_body(number, "ping", {}), number, deadline=deadline
    )


async def test_replies_go_by_their_ids() -> None:
    body = """
ids = [json.loads(sys.stdin.readline())["id"] for _ in range(5)]
for id in reversed(ids): say({"jsonrpc": "2.0", "id": id, "result": {"of": id}})
"""
    async with line_to(body) as line:
        answers = await asyncio.gather(*[line.send(ping(number)) for number in range(1, 6)])

    expected = [b'{"of": %d}' % number for number in range(1, 6)]
    assert [answer.reply for answer in answers] == list(map(Result, expected))


async def test_an_end_is_told_to_everybody_who_waits() -> None:
    async with line_to("for _ in range(3): sys.stdin.readline()") as line:
        ends = await asyncio.gather(
            *[line.send(ping(n)) for n in (1, 2, 3)], return_exceptions=True
        )

    assert ["ended with exit code 0" in str(end) for end in ends] == [True, True, True]


async def test_who_gives_up_lets_another_listen() -> None:
    body = """
first, second = (json.loads(sys.stdin.readline())["id"] for _ in range(2))
sys.stdin.readline()
say({"jsonrpc": "2.0", "id": second, "result": {}})
"""
    async with line_to(body) as line:
        soon = asyncio.get_running_loop().time() + 0.1
        hasty = asyncio.ensure_future(line.send(ping(1, deadline=soon)))
        patient = asyncio.ensure_future(line.send(ping(2)))
        with pytest.raises(NetError, match="not answered in time"):
            await hasty
        await line.send(Message("tools_call", "notifications/go", b"{}"))
        answer = await patient

    assert answer.reply == Result(b"{}")

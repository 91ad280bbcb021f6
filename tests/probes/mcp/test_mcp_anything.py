"""The probe against servers that say anything: each wrong answer is the server's fault, and told in time."""

import asyncio
import json
import random
from dataclasses import dataclass

import pytest

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext, load_kinds
from lifesign.testing import EVERYTHING, Answer, Call, Era, FaultyMCP, Transport

WAITS = (
    "\u00b2",
    "-1",
    "9" * 40,
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Tue, 15 Nov 1994 12:45:26 +9999999999",
)
VALUES = (None, True, -1, 2**70, 1.5, "", "a\x00", "\u00e9", [], {}, [{}], {"type": 5}, [[[[]]]])
TYPES = ("application/json", "text/event-stream", "x;")
STATUSES = (200, 200, 200, 202, 204, 307, 400, 401, 403, 404, 429, 500, 503)
FRAMES = (b"data: ", b"id: 1\r\ndata: ", b"\xef\xbb\xbfdata:")
STEPS = (
    "discover", "initialize", "tools_list", "tools_call", "resources_list", "prompts_get", "ping", "stream",
)  # fmt: skip
FACES = ((Era.MODERN, Transport.HTTP), (Era.LEGACY, Transport.HTTP), (Era.LEGACY, Transport.SSE))


@dataclass
class Liar:
    """Says what a faithful server would, bent."""

    chance: random.Random

    def bend(self, value: object) -> object:
        if self.chance.random() < 0.1:
            return self.chance.choice(VALUES)
        if isinstance(value, dict):
            return {
                key: self.bend(each) for key, each in value.items() if self.chance.random() > 0.05
            }
        return [self.bend(each) for each in value] if isinstance(value, list) else value

    def say(self, call: Call) -> Answer:
        chance = self.chance
        body = json.dumps(self.bend(call.faithful().message)).encode()
        headers = {"Content-Type": chance.choice(TYPES)}
        if chance.random() < 0.3:
            headers["Retry-After"] = chance.choice(WAITS)
        if chance.random() < 0.5:
            body = chance.choice(FRAMES) + body + b"\n\n"
        cut = chance.randrange(len(body) + 1)
        pieces = tuple(filter(None, (body[:cut], body[cut:])))
        return Answer(chance.choice(STATUSES), headers, chunks=pieces)


@pytest.mark.parametrize("seed", range(40))
async def test_nothing_that_a_server_says_is_our_bug(seed):
    liar = Liar(random.Random(seed))
    era, transport = liar.chance.choice(FACES)
    told = {step: liar.say for step in STEPS if liar.chance.random() < 0.5}
    async with FaultyMCP(era=era, transport=transport, offer=EVERYTHING, **told) as server:
        canary = {"name": "a", "tool": "echo", "arguments": {"text": "x"}}
        settings = MCPSettings(url=server.url, canaries=[canary], prompt={}, resource={})
        kind, memory = load_kinds()["mcp"], {}
        for _ in range(2):
            deadline = asyncio.get_running_loop().time() + 1.0
            context = ProbeContext(Net.open(), SystemClock(), deadline, memory=memory)
            failure = (await observe(kind, settings, context)).failure
            assert failure is None or failure.layer != "internal"
            assert failure is None or failure.code != "timeout"

"""Whether a session is one: the same session asked again over fresh connections, as clients behind a balancer do.

One kept-alive connection always reaches the same replica, so a probe that holds on to it never sees what every other
client does: the second request lands on a replica that does not know the session.
"""

import asyncio
from datetime import timedelta

from lifesign.core.model import Failure
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.periodic import Told, Weight
from lifesign.probes.mcp.checks.primitive_settings import PeriodicCheck
from lifesign.probes.mcp.checks.primitives import periodic
from lifesign.probes.mcp.client.answers import judge_answer
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import RPCError
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

EVERY = timedelta(minutes=5)
SPARE_S = 0.25
"""With less time than this left, nothing is asked: what came before took it, and that is told already."""


class SessionCalls(PeriodicCheck):
    """How many more requests a session must answer, each over a connection of its own."""

    calls: int
    every: timedelta = EVERY
    weight: Weight = Weight.FAILS


MOST_CALLS = 20
_SETTINGS = tuple(SessionCalls(calls=calls) for calls in range(MOST_CALLS + 1))
"""Made once: nearly every monitor asks the same, at every probe."""


async def check_session(
    visit: Visit, sheet: Sheet, ctx: ProbeContext, *, calls: int
) -> Failure | None:
    """Ask `calls` times over new connections. Servers without sessions have nothing to lose and are not asked."""
    left_s = ctx.deadline - asyncio.get_running_loop().time()
    if not calls or not visit.line.has_session or left_s < SPARE_S:
        return None
    return await periodic(
        "session_calls", _SETTINGS[calls], lambda: _ask_again(visit, calls), sheet, ctx
    )


async def _ask_again(visit: Visit, calls: int) -> Told:
    for number in range(calls):
        visit.line.close()
        # Whatever else is wrong with `ping` is no matter here; the session is, and it is judged first.
        message = visit.message("ping", {}, step="tools_list")
        answer = await visit.line.send(message)
        failure = judge_answer(visit.line.exchange(message), answer)
        if failure is not None and failure.layer == "session":
            raise NetError(failure)
        if failure is not None and not isinstance(answer.reply, RPCError):
            return Told({"answered": number})
    return Told({"answered": calls})

"""Asks as a stranger does: what a client is told that shows no credential."""

from lifesign.probes.mcp.client.answers import Answer, AnswerError
from lifesign.probes.mcp.client.eras import Dialect, Lines
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Era, Result

ASSUMED = Dialect(Era.LEGACY, "http", 0.0)
"""How one knocks where nothing was found out yet: every server refuses strangers before it looks at the era."""


async def knock(lines: Lines, dialect: Dialect | None) -> Answer:
    """The first answer that is not the one that was asked for: to the handshake or, where that is open, to tools/list.

    `lines` must carry no credential. Raises `NetError` when the network is in the way.
    """
    known = dialect or ASSUMED
    visit = Visit(lines.dial(known.transport), known.era, phases=lines.phases)
    try:
        greeting = await visit.greet()
        if "tools" in greeting.capabilities:
            return await visit.ask("tools/list", step="tools_list")
    except AnswerError as error:
        return error.answer
    finally:
        await visit.leave(lines.deadline)
        visit.close()
    return Answer(reply=Result(b"{}"))

"""Where one run stands in matters of sign-in: the refusal of a stranger, and the look at it that ours is worth."""

from dataclasses import dataclass, replace

from lifesign.core.model import Failure
from lifesign.net.failures import NetError
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.auth import (
    Refusal,
    examine_refusal,
    examine_with_credential,
    name_wall,
    standing,
)
from lifesign.probes.mcp.client.answers import Answer, AnswerError
from lifesign.probes.mcp.client.eras import Dialect
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import LATEST_ASKED, Era, initialize_params
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

_WALLS = frozenset({401, 403})
_BELOW = frozenset({"dns", "tcp", "tls", "egress", "credential", "internal"})


@dataclass(frozen=True, slots=True)
class SignIn:
    """The questions of sign-in for one run."""

    plan: Plan
    ctx: ProbeContext
    sheet: Sheet

    @property
    def _tls(self) -> TLSOptions:
        """How a stranger connects: without our certificate."""
        settings = self.plan.settings
        return TLSOptions(verify=settings.verify_tls, ca_pem=settings.ca_pem)

    async def explain(self, error: NetError, *, is_greeted: bool) -> Failure | None:
        """What to tell of a probe that ended with this error; None when the server only asks strangers to sign in."""
        credentials = self.plan.credentials
        failure = credentials.excuse(error.failure, self.ctx)
        if credentials.is_set:
            await self.stand(failure)
            return failure
        if not isinstance(error, AnswerError) or failure.layer != "auth":
            return failure
        if is_greeted:
            failure = name_wall(failure, is_greeted=True, has_credential=False)
        elif error.answer.status in _WALLS:
            return await examine_refusal(
                error.answer,
                url=self.plan.endpoint.url,
                sheet=self.sheet,
                ctx=self.ctx,
                tls=self._tls,
            )
        state = standing(has_credential=False, refusal=Refusal.ADMITTED, failure=failure)
        self.sheet.facts["auth.state"] = state.value
        return failure

    async def stand(self, failure: Failure | None) -> None:
        """Note where the server stands with our credential, or without one where it let us in."""
        if not self.plan.credentials.is_set:
            self.sheet.facts["auth.state"] = "open"
            return
        refusal = Refusal.UNSEEN
        if failure is None or failure.layer not in _BELOW:
            refusal = await examine_with_credential(
                self._knock,
                url=self.plan.endpoint.url,
                sheet=self.sheet,
                ctx=self.ctx,
                tls=self._tls,
            )
        state = standing(has_credential=True, refusal=refusal, failure=failure)
        self.sheet.facts["auth.state"] = state.value

    async def _knock(self) -> Answer:
        """Greet as a stranger, over a connection of its own, and leave nothing behind."""
        known = self.ctx.memory.get("mcp.dialect")
        dialect = known if isinstance(known, Dialect) else Dialect(Era.LEGACY, "http", 0.0)
        stranger = replace(self.plan.endpoint, tls=self._tls)
        lines = HTTPLines(self.ctx.net, stranger, deadline=self.ctx.deadline, phases={})
        line = lines.dial(dialect.transport)
        visit = Visit(line, dialect.era, phases={})
        if dialect.era is Era.MODERN:
            line.join(session="", version=self.plan.wanted.version or "2026-07-28")
            message = visit.message("server/discover", {}, step="discover")
        else:
            message = visit.message(
                "initialize", initialize_params(LATEST_ASKED), step="initialize"
            )
        try:
            answer = await line.send(message)
            line.join(session=answer.headers.get("mcp-session-id", ""), version=LATEST_ASKED)
            return answer
        except AnswerError as error:
            return error.answer
        finally:
            await line.leave(self.ctx.deadline)
            line.close()

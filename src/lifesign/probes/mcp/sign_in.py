"""The last word on sign-in, once a run went as far as it goes: what is told after all, and where the server stands."""

import asyncio
from dataclasses import dataclass, replace

from lifesign.core.model import Failure, Reason
from lifesign.net.failures import NetError
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.auth import (
    Refusal,
    Standing,
    examine_refusal,
    examine_with_credential,
    name_wall,
    standing,
)
from lifesign.probes.mcp.client.answers import Answer, Exchange, judge_answer
from lifesign.probes.mcp.client.eras import Dialect
from lifesign.probes.mcp.client.knock import knock
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

KNOCK_SHARE = 0.5
"""The part of the time that is left which a stranger's visit may take; the metadata has the rest."""

_OURS = frozenset({"egress", "internal", "credential"})
_WALLS = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class SignIn:
    """The questions of sign-in for one run."""

    plan: Plan
    ctx: ProbeContext
    sheet: Sheet

    async def settle(
        self, failure: Failure | None, answer: Answer | None, *, is_greeted: bool
    ) -> Failure | None:
        """The failure to tell; None as well for a server that only asks strangers to sign in, as it should.

        `failure` is what ended the run, and `answer` the one that it was read from. Notes `auth.*`.
        """
        credentials = self.plan.credentials
        if credentials.is_set:
            failure = failure and credentials.excuse(failure, self.ctx)
            if failure is not None and failure.code == "refresh_failed":
                failure = await self._look_without(failure)
            self._note(standing(
                has_credential=True, refusal=await self._refusal(failure), failure=failure
            ))  # fmt: skip
            return failure
        if failure is None or failure.layer != "auth":
            if is_greeted:
                self._note(Standing.OPEN)
            return failure
        if answer is not None and answer.status in _WALLS and not is_greeted:
            endpoint = self.plan.endpoint
            return await examine_refusal(
                answer, url=endpoint.url, sheet=self.sheet, ctx=self.ctx, tls=endpoint.tls
            )
        failure = name_wall(failure, is_greeted=is_greeted, has_credential=False)
        self._note(standing(has_credential=False, refusal=Refusal.UNSEEN, failure=failure))
        return failure

    def _note(self, found: Standing) -> None:
        self.sheet.facts["auth.state"] = found.value

    async def _refusal(self, failure: Failure | None) -> Refusal:
        """How a stranger is refused, where the settings want it known; a server that is ill is left alone."""
        is_ill = failure is not None and failure.layer != "auth" and "era" not in self.sheet.facts
        if is_ill or not self.plan.settings.check_refusal:
            return Refusal.UNSEEN
        endpoint = self.plan.endpoint
        return await examine_with_credential(
            self._knock_as_stranger,
            url=endpoint.url,
            sheet=self.sheet,
            ctx=self.ctx,
            tls=endpoint.tls,
        )

    async def _look_without(self, failure: Failure) -> Failure:
        """Without a credential we are blind to all but an outage, and that would hide behind our own trouble."""
        try:
            answer = await self._knock(self.plan.endpoint.tls)
        except NetError as error:
            # The token had most of the time, so that what is left says nothing about a slow server.
            is_unclear = error.failure.layer in _OURS or error.failure.reason is Reason.TIMEOUT
            return failure if is_unclear else error.failure
        if answer.status < 500:
            return failure
        exchange = Exchange("initialize", "initialize", self.plan.endpoint.url.shown)
        return judge_answer(exchange, answer) or failure

    async def _knock_as_stranger(self) -> Answer:
        tls = self.plan.endpoint.tls
        return await self._knock(replace(tls, client_cert_pem=None, client_key_pem=None))

    async def _knock(self, tls: TLSOptions) -> Answer:
        """Visit without a credential, on a connection of its own."""
        endpoint, now = self.plan.endpoint, asyncio.get_running_loop().time()
        lines = HTTPLines(
            self.ctx.net,
            replace(endpoint, tls=tls),
            deadline=now + (self.ctx.deadline - now) * KNOCK_SHARE,
            phases={},
        )
        known = self.ctx.memory.get("mcp.dialect")
        return await knock(lines, known if isinstance(known, Dialect) else None)

"""The last word on sign-in, once a run went as far as it goes: what is told after all, and where the server stands."""

import asyncio
from dataclasses import dataclass, replace

from lifesign.core.model import Failure
from lifesign.probes.mcp.checks.auth import (
    Refusal,
    Standing,
    examine_refusal,
    examine_with_credential,
    name_wall,
    standing,
)
from lifesign.probes.mcp.client.answers import Answer
from lifesign.probes.mcp.client.eras import Dialect
from lifesign.probes.mcp.client.knock import knock
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.sheet import Sheet
from lifesign.probes.registry import ProbeContext

KNOCK_SHARE = 0.5
"""The part of the time that is left which a stranger's visit may take; the metadata has the rest."""

_WALLS = frozenset({401, 403})
_BELOW = frozenset({"dns", "tcp", "tls", "egress", "credential", "internal"})


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
        """How a stranger is refused, where the network lets us get so far and the settings want it known."""
        is_below = failure is not None and failure.layer in _BELOW
        if is_below or not self.plan.settings.check_refusal:
            return Refusal.UNSEEN
        endpoint = self.plan.endpoint
        return await examine_with_credential(
            self._knock, url=endpoint.url, sheet=self.sheet, ctx=self.ctx, tls=endpoint.tls
        )

    async def _knock(self) -> Answer:
        """Visit as a stranger: without a credential, without a certificate, on a connection of its own."""
        endpoint, now = self.plan.endpoint, asyncio.get_running_loop().time()
        tls = replace(endpoint.tls, client_cert_pem=None, client_key_pem=None)
        lines = HTTPLines(
            self.ctx.net,
            replace(endpoint, tls=tls),
            deadline=now + (self.ctx.deadline - now) * KNOCK_SHARE,
            phases={},
        )
        known = self.ctx.memory.get("mcp.dialect")
        return await knock(lines, known if isinstance(known, Dialect) else None)

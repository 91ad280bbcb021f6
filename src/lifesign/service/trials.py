"""One probe on the spot, nothing saved: what *try it* shows."""

import asyncio
from collections.abc import Mapping

from lifesign.clock import Clock
from lifesign.core.condition import compile_condition
from lifesign.core.errors import BusyError, InvalidError
from lifesign.core.model import Monitor
from lifesign.core.scope import Grant, Scope
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext
from lifesign.service.access import require
from lifesign.service.drafts import Drafted, DraftReader
from lifesign.service.settings import shown_settings
from lifesign.service.views import Trial
from lifesign.store import Store

MAX_AT_ONCE = 20


class Trials:
    """Trying things out."""

    def __init__(
        self,
        *,
        store: Store,
        reader: DraftReader,
        net: Net,
        clock: Clock,
        may_spawn: bool = False,
    ) -> None:
        self._store = store
        self._reader = reader
        self._net = net
        self._clock = clock
        self._may_spawn = may_spawn
        self._running = 0

    async def run(self, scope: Scope, draft: Mapping[str, object], *, id: str = "") -> Trial:
        """Probe what the draft says, once, within its timeout.

        With the `id` of a monitor, the draft is a change of it, so that `***` means its stored secrets; they
        go wherever the draft points, which is why that needs the grant that could also save it.
        Raises InvalidError with problems, NotFoundError, and BusyError when too many are tried at once.
        """
        require(scope, Grant.ADMIN if id else Grant.OPERATE)
        drafted = await self._drafted(scope, draft, id)
        if drafted.kind.passive:
            reason = f"is {drafted.kind.name}, which is told and not dialled"
            raise InvalidError(
                f"The kind {reason}.", problems=(("kind", reason),),
                remedy="Save it, then let the job ping its address.",
            )  # fmt: skip
        if self._running >= MAX_AT_ONCE:
            raise BusyError(
                f"{MAX_AT_ONCE} trials run at this moment.", remedy="Try again in a few seconds."
            )
        self._running += 1
        try:
            return await self._probed(drafted)
        finally:
            self._running -= 1

    def guess(self, text: str) -> tuple[str, dict[str, object]] | None:
        """The kind and settings that pasted text most likely means; None when no kind knows it."""
        return self._reader.guess(text)

    async def _drafted(self, scope: Scope, draft: Mapping[str, object], id: str) -> Drafted:
        if id:
            return self._reader.changed(await self._store.monitors.get(scope, id), draft)
        base = Monitor(id="trial", name="", kind="", settings={}, tenant=scope.tenant)
        return self._reader.new(draft, base=base)

    async def _probed(self, drafted: Drafted) -> Trial:
        kind, settings, monitor = drafted.kind, drafted.settings, drafted.monitor
        started_at, began_s = self._clock.now(), self._clock.monotonic()
        deadline = asyncio.get_running_loop().time() + monitor.timeout_s
        context = ProbeContext(
            net=self._net, clock=self._clock, deadline=deadline, may_spawn=self._may_spawn
        )
        observation = await observe(kind, settings, context)
        duration_ms = (self._clock.monotonic() - began_s) * 1000
        texts = (*kind.implied(settings), *monitor.conditions)
        outcome = assess(
            observation,
            [compile_condition(text) for text in texts],
            degraded_ms=monitor.policy.degraded_ms,
            now=self._clock.now(),
        )
        return Trial(
            target=kind.target(settings),
            kind=kind.name,
            state=outcome.state,
            failure=outcome.failure,
            findings=observation.findings,
            checks=outcome.checks,
            phases_ms=observation.phases_ms,
            facts=observation.facts,
            started_at=started_at,
            duration_ms=duration_ms,
            settings=shown_settings(settings),
        )

"""One run of one kind, with its deadline held and its bugs told apart from the target's faults."""

import asyncio
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel

from lifesign.core.model import Failure, Observation, Reason
from lifesign.probes.registry import Kind, ProbeContext

OVERRUN_S = 0.5
"""How far a kind may overrun its own deadline before it is stopped from outside."""

_log = structlog.get_logger(__name__)


async def observe(kind: Kind, settings: BaseModel, ctx: ProbeContext) -> Observation:
    """Run the kind's probe once. Whatever happens comes back as an observation; cancellation passes.

    A probe that does not come back is stopped shortly after its deadline and counts as the target's time-out.
    An unexpected exception is our own bug: layer `internal`, which the judge reads as unknown, never as down.
    """
    limit = asyncio.timeout_at(ctx.deadline + OVERRUN_S)
    try:
        async with limit:
            observed: Observation = await kind.run(settings, ctx)
            return observed
    except TimeoutError:
        if limit.expired():
            return Observation(failure=_overrun(kind, settings))
        return Observation(failure=_bug(kind, "TimeoutError"))
    except Exception as bug:  # noqa: BLE001 - the runner's edge: a kind's bug must not stop the others
        _log.error("probe_bug", kind=kind.name, exc_info=bug)
        return Observation(failure=_bug(kind, type(bug).__name__))


def authority(kind: Kind, settings: BaseModel) -> str:
    """Whom the per-host limit counts: the host and port of the target, lower case."""
    target = kind.target(settings)
    netloc = urlsplit(target).netloc if "://" in target else target.split("/", 1)[0]
    return netloc.rsplit("@", 1)[-1].lower()


def _overrun(kind: Kind, settings: BaseModel) -> Failure:
    return Failure(
        kind.name,
        "timeout",
        f"The {kind.name} probe of {kind.target(settings)} had no answer before its deadline.",
        reason=Reason.TIMEOUT,
        remedy="See whether the target is overloaded; if it is just slow, give the monitor a longer timeout.",
    )


def _bug(kind: Kind, name: str) -> Failure:
    return Failure(
        "internal",
        "probe_bug",
        f"The {kind.name} probe itself failed ({name}); nothing is known about the target.",
        reason=Reason.INTERNAL,
        remedy="Look for probe_bug in Lifesign's log and report it.",
    )

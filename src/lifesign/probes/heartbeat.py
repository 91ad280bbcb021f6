"""Heartbeats: jobs that ping us. Nothing is dialled; what is judged is the silence.

The ping URLs and their meaning are those of Healthchecks (https://healthchecks.io/docs/http_api/), so a job
that already pings needs a new address and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from lifesign.core.batch import Ping
from lifesign.core.model import Failure, Observation, Policy, Reason
from lifesign.core.units import format_duration, parse_duration
from lifesign.probes.registry import ProbeContext, probe

MAX_OPEN_RUNS = 100
"""Started runs that are remembered at once; the oldest is forgotten first."""


def _read_duration(value: object) -> object:
    """`1h30m` as people write it; numbers are seconds, and ISO 8601 (`PT1H`) is left to pydantic."""
    if isinstance(value, bool):
        raise ValueError("a duration is written with its unit, such as 30s or 1h30m")  # noqa: TRY004
    is_worded = isinstance(value, str) and not value.strip().startswith("P")
    return parse_duration(str(value)) if is_worded else value


Span = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "format": "duration-units", "examples": ["1h", "1d"]}),
]
"""A `timedelta` that is written as `1h30m`."""


class HeartbeatSettings(BaseModel):
    """Expects pings from a job and tells when one is missing or reports a failure."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    uuid: UUID = Field(
        default_factory=uuid4, title="Ping key", description="The last part of the ping URL."
    )
    period: Span = Field(
        default=timedelta(days=1),
        ge=timedelta(seconds=10),
        le=timedelta(days=366),
        title="Period",
        json_schema_extra={"default": "1d"},
        description="A ping is due this long after the last one.",
    )
    grace: Span = Field(
        default=timedelta(hours=1),
        ge=timedelta(0),
        le=timedelta(days=366),
        title="Grace",
        json_schema_extra={"default": "1h"},
        description="How much later than due a ping may come before anyone is told.",
    )
    max_run: Span | None = Field(
        default=None,
        gt=timedelta(0),
        le=timedelta(days=366),
        title="Longest run",
        description="A run that was started and has not finished after this time has failed.",
    )


class HeartbeatFacts(BaseModel):
    """What conditions may ask of a heartbeat."""

    last_ping_at: str | None = Field(
        default=None, description="When the newest ping came (ISO 8601, UTC)."
    )
    last_action: str | None = Field(default=None, description="success, start, fail, log or exit.")
    exit_status: int | None = Field(
        default=None, description="Exit status that the last finished run told."
    )
    duration_s: float | None = Field(
        default=None, description="Seconds from start to finish of the last run that told both."
    )
    overdue_s: float = Field(
        description="Seconds since a ping was due, grace not counted; 0 when in time."
    )
    due_at: str = Field(description="When the next ping is due, grace not counted (ISO 8601, UTC).")
    pings: int = Field(description="Pings counted so far.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """All that matters of a job's pings so far; `after` folds one more in.

    `open_runs` maps a run id ("" for pings without one) to its start. `extension_s` is time that we were
    away ourselves since the last finish: deadlines move by it, for nobody could have pinged us.
    """

    created_at: datetime
    last_ping_at: datetime | None = None
    last_action: str = ""
    last_finish: datetime | None = None
    last_success: datetime | None = None
    last_start: datetime | None = None
    last_fail: datetime | None = None
    is_failing: bool = False
    exit_status: int | None = None
    duration_s: float | None = None
    open_runs: Mapping[str, datetime] = field(default_factory=dict)
    extension_s: float = 0.0
    pings: int = 0

    def after(self, ping: Ping) -> "Journal":
        """The journal with one more ping. A log is only counted; a finish that comes late changes no newer one."""
        counted = replace(self, pings=self.pings + 1)
        if self.last_ping_at is None or ping.at >= self.last_ping_at:
            counted = replace(counted, last_ping_at=ping.at, last_action=ping.action)
        if ping.action == "log":
            return counted
        if ping.action == "start":
            return _with_start(counted, ping)
        return _with_finish(counted, ping)

    def extend(self, seconds: float) -> "Journal":
        """The journal with all deadlines moved by `seconds` that we were away."""
        return replace(self, extension_s=self.extension_s + max(seconds, 0.0))

    def shift(self, seconds: float) -> "Journal":
        """The journal as it would be, had the clock always gone by so many seconds more."""
        by = timedelta(seconds=seconds)
        return replace(
            self,
            created_at=self.created_at + by,
            last_ping_at=_moved(self.last_ping_at, by),
            last_finish=_moved(self.last_finish, by),
            last_success=_moved(self.last_success, by),
            last_start=_moved(self.last_start, by),
            last_fail=_moved(self.last_fail, by),
            open_runs={run_id: at + by for run_id, at in self.open_runs.items()},
        )


def _moved(at: datetime | None, by: timedelta) -> datetime | None:
    return None if at is None else at + by


def _with_start(journal: Journal, ping: Ping) -> Journal:
    runs = {**journal.open_runs, ping.run_id: ping.at}
    if len(runs) > MAX_OPEN_RUNS:
        del runs[min(runs, key=lambda run_id: runs[run_id])]
    newest = max(journal.last_start or ping.at, ping.at)
    return replace(journal, last_start=newest, open_runs=runs)


def _with_finish(journal: Journal, ping: Ping) -> Journal:
    runs = dict(journal.open_runs)
    begun = runs.get(ping.run_id)
    if begun is not None and begun <= ping.at:
        del runs[ping.run_id]
    if journal.last_finish is not None and ping.at < journal.last_finish:
        return replace(journal, open_runs=runs)
    status = _exit_status(ping)
    duration_s = (ping.at - begun).total_seconds() if begun and begun <= ping.at else None
    is_success = ping.action != "fail" and not status
    return replace(
        journal,
        last_finish=ping.at,
        last_success=ping.at if is_success else journal.last_success,
        last_fail=journal.last_fail if is_success else ping.at,
        is_failing=not is_success,
        exit_status=status,
        duration_s=duration_s,
        open_runs=runs,
        extension_s=0.0,
    )


def _exit_status(ping: Ping) -> int | None:
    return ping.exit_status if ping.action == "exit" else None


def assess(
    settings: HeartbeatSettings, journal: Journal, now: datetime
) -> tuple[Observation, datetime]:
    """What is to be said of a job now, and the next instant at which that can change without a ping.

    1. The last finish was a failure: that stands until a success, whatever the time.
    2. No finish within period and grace (counted from the last one, or from the beginning): missed.
    3. A started run is open for longer than `max_run`, and no later success shows that the job recovered: overran.

    While something is wrong only a ping can mend it; the instant is then one period ahead.
    """
    extension = timedelta(seconds=journal.extension_s)
    due = (journal.last_finish or journal.created_at) + settings.period + extension
    late = due + settings.grace
    overruns = _overruns(settings, journal, extension)
    failure = (
        _reported(journal)
        or (_missed(settings, journal, due) if now >= late else None)
        or next((_overran(settings, run) for run, at in overruns if now >= at), None)
    )
    facts = _facts(journal, due, now)
    if failure is not None:
        return Observation(facts=facts, failure=failure), now + settings.period
    return Observation(facts=facts), min([late, *(at for _, at in overruns)])


def _overruns(
    settings: HeartbeatSettings, journal: Journal, extension: timedelta
) -> list[tuple[datetime, datetime]]:
    """(start, latest finish) of each open run that a later success does not excuse, earliest first."""
    if settings.max_run is None:
        return []
    limits = [(start, start + settings.max_run + extension) for start in journal.open_runs.values()]
    success = journal.last_success
    return sorted(run for run in limits if success is None or success < run[1])


def _facts(journal: Journal, due: datetime, now: datetime) -> dict[str, object]:
    facts: dict[str, object] = {
        "due_at": _iso(due),
        "overdue_s": max((now - due).total_seconds(), 0.0),
        "pings": journal.pings,
    }
    if journal.last_ping_at is not None:
        facts |= {"last_ping_at": _iso(journal.last_ping_at), "last_action": journal.last_action}
    if journal.exit_status is not None:
        facts["exit_status"] = journal.exit_status
    if journal.duration_s is not None:
        facts["duration_s"] = journal.duration_s
    return facts


def _reported(journal: Journal) -> Failure | None:
    if not journal.is_failing or journal.last_fail is None:
        return None
    at = _clock_time(journal.last_fail)
    if journal.exit_status:
        return Failure(
            "heartbeat", "exit_nonzero",
            f"The job ended with exit status {journal.exit_status} at {at}.",
            Reason.REPORTED_FAILURE,
            "Read what the job printed; the body of its last ping is kept with this monitor.",
        )  # fmt: skip
    return Failure(
        "heartbeat", "reported_fail", f"The job reported a failure at {at}.", Reason.REPORTED_FAILURE,
        "Read what the job printed; the body of its last ping is kept with this monitor.",
    )  # fmt: skip


def _missed(settings: HeartbeatSettings, journal: Journal, due: datetime) -> Failure:
    last = journal.last_finish
    seen = f"the last one came at {_clock_time(last)}" if last else "none has ever come"
    return Failure(
        "heartbeat", "missed",
        f"A ping was due at {_clock_time(due)}, {format_duration(settings.grace)} of grace have passed; {seen}.",
        Reason.MISSED,
        "Check that the job is scheduled, that its machine is up, and that it can reach this server."
        if last else "Let the job call its ping URL when it has finished.",
    )  # fmt: skip


def _overran(settings: HeartbeatSettings, begun: datetime) -> Failure:
    limit = format_duration(settings.max_run or timedelta())
    return Failure(
        "heartbeat", "overran",
        f"The run that began at {_clock_time(begun)} has not finished within {limit}.",
        Reason.TIMEOUT,
        "Check whether the job hangs or was killed, or allow longer runs.",
    )  # fmt: skip


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def _clock_time(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _target(settings: HeartbeatSettings) -> str:
    """How the job is expected; the ping key is left out, because whoever knows it can ping."""
    return f"every {format_duration(settings.period)}, grace {format_duration(settings.grace)}"


@probe(
    "heartbeat",
    settings=HeartbeatSettings,
    facts=HeartbeatFacts,
    title="Heartbeat",
    target=_target,
    ladder=("heartbeat",),
    passive=True,
    policy=Policy(confirmations=1, recoveries=1, flap_changes=0),
)
async def watch(settings: HeartbeatSettings, ctx: ProbeContext) -> Observation:
    """Assess the journal that the engine keeps in `ctx.memory["journal"]` at the clock's time."""
    journal = ctx.memory.get("journal")
    if not isinstance(journal, Journal):
        failure = Failure(
            "internal", "no_journal", "The pings of this job have not been loaded yet.", Reason.INTERNAL,
            "Wait for the next run; if this stays, look at the log of the daemon.",
        )  # fmt: skip
        return Observation(failure=failure)
    return assess(settings, journal, ctx.clock.now())[0]

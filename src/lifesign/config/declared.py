"""Monitors, channels and routes as the file declares them, before their kinds have been asked.

The settings of a kind are checked later against the kind's own model, because kinds live on a
higher floor; `Loaded.problem_at` and `Loaded.problems_in` give such findings their line and column.
"""

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from lifesign.config.types import NEVER, ConditionText, Duration, DurationOrNever, one_line
from lifesign.core.messages import AlertEvent
from lifesign.core.model import DEFAULT_REGION, Policy, Severity

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(one_line),
]
Tag = Annotated[str, StringConstraints(pattern=r"^[^\s,]{1,64}$")]


def a_factor_or_zero(factor: float) -> float:
    """The factor itself. Raises ValueError for one that would tell of every day's ups and downs."""
    if factor != 0 and not factor >= 1.1:
        raise ValueError("is at least 1.1, or 0 to turn it off")
    return factor


def seconds_or_never(duration: timedelta) -> float | None:
    """A duration as the policy holds it: seconds, None for `never`."""
    return None if duration == NEVER else duration.total_seconds()


class Declared(BaseModel):
    """A thing that the file owns; a key that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PolicyConfig(Declared):
    """How outcomes become a verdict; what is left out keeps the kind's own default."""

    confirmations: int | None = Field(
        default=None, ge=1, le=100, description="Failed runs in a row that make a monitor down."
    )
    recoveries: int | None = Field(
        default=None, ge=1, le=100, description="Good runs in a row that bring it back."
    )
    recheck: Duration | None = Field(
        default=None, description="How soon a first failure is run again."
    )
    quorum: int | None = Field(
        default=None, ge=1, description="Regions that must agree before a monitor is down."
    )
    flap_changes: int | None = Field(
        default=None,
        ge=0,
        description="More changes than this within `flap_window` runs is flapping; 0 turns it off.",
    )
    flap_window: int | None = Field(
        default=None, ge=2, le=100, description="Runs that are looked back on for flapping."
    )
    degraded: Duration | None = Field(
        default=None, description="Slower than this is degraded; absent means never."
    )
    latency_factor: Annotated[float, AfterValidator(a_factor_or_zero)] | None = Field(
        default=None,
        le=100,
        description="Told when the p95 is more than so many times the usual one for three periods; 0 turns it off.",
    )
    drift_accept: DurationOrNever | None = Field(
        default=None,
        description="After how long a changed surface is taken for the new baseline by itself, or `never`.",
    )

    def applied_to(self, policy: Policy) -> Policy:
        """`policy` (the kind's default) with what the file says in its place."""
        said = self.model_dump(exclude_none=True, exclude={"recheck", "degraded", "drift_accept"})
        base = {name: getattr(policy, name) for name in Policy.__dataclass_fields__}
        if self.recheck is not None:
            said["recheck_s"] = self.recheck.total_seconds()
        if self.degraded is not None:
            said["degraded_ms"] = self.degraded / timedelta(milliseconds=1)
        if self.latency_factor == 0:
            said["latency_factor"] = None
        if self.drift_accept is not None:
            said["drift_accept_s"] = seconds_or_never(self.drift_accept)
        return Policy(**(base | said))


class MonitorConfig(Declared):
    """A thing that is watched. Give a `kind` with its `settings`, or paste anything as `target`."""

    name: Name = Field(description="What people call it; unique in this file.")
    kind: str = Field(default="", description="What it is: http, tcp, tls, dns, heartbeat, mcp, …")
    target: str = Field(
        default="",
        description="A URL, host:port or anything else that a kind recognises, instead of `settings`.",
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="The settings of the kind; see the page of the kind."
    )
    interval: Duration | None = Field(
        default=None, description="How often it runs; the kind's own default when absent."
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10), description="How long one run may take, all in all."
    )
    conditions: tuple[ConditionText, ...] = Field(
        default=(),
        description="What must hold, such as `status == 200` or `warn: tls.days_left > 14`.",
    )
    severity: Severity = Field(default=Severity.HIGH, description="How much its alerts matter.")
    tags: tuple[Tag, ...] = Field(default=(), description="Words that routes and filters go by.")
    group: str = Field(default="", max_length=200, description="The heading it is listed under.")
    policy: PolicyConfig = Field(
        default=PolicyConfig(), description="How outcomes become a verdict."
    )
    paused: bool = Field(default=False, description="Whether it rests.")
    regions: tuple[str, ...] = Field(
        default=(DEFAULT_REGION,), min_length=1, description="Where it is watched from."
    )
    runbook_url: AnyHttpUrl | None = Field(
        default=None, description="What to do when it is down; shown in alerts."
    )
    description: str = Field(default="", max_length=2000, description="What it is for.")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not self.kind and not self.target:
            raise ValueError("a monitor needs a `kind` with `settings`, or a `target`")
        for name, duration in (("interval", self.interval), ("timeout", self.timeout)):
            if duration is not None and duration < timedelta(milliseconds=100):
                raise ValueError(f"`{name}` is at least 100ms")
        return self


class ChannelConfig(Declared):
    """A place messages are sent to."""

    name: Name = Field(description="What people call it; unique in this file. Routes go by it.")
    kind: str = Field(min_length=1, description="How it is reached: webhook, email, apprise, …")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="The settings of the kind; see the page of the kind."
    )
    enabled: bool = Field(default=True, description="Whether it is used.")


class RouteConfig(Declared):
    """Who is told about which alerts: every field that is given must match, by any of its values."""

    name: Name = Field(description="What people call it; unique in this file.")
    channels: tuple[str, ...] = Field(min_length=1, description="The names of the channels told.")
    min_severity: Severity = Field(
        default=Severity.NOTICE, description="Alerts milder than this are passed over."
    )
    kinds: tuple[str, ...] = Field(default=(), description="Kinds of monitors.")
    tags: tuple[Tag, ...] = Field(default=(), description="Tags of monitors.")
    monitors: tuple[str, ...] = Field(
        default=(), description="Names of monitors of this file; ids or slugs of others."
    )
    events: tuple[AlertEvent, ...] = Field(default=(), description="What happened to the alert.")
    enabled: bool = Field(default=True, description="Whether it is used.")

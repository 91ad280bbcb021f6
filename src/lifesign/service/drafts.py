"""From what somebody wrote (a form, a JSON body, a command line) to a whole monitor, or to what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from lifesign.config.problems import nearest
from lifesign.config.types import one_line
from lifesign.core.condition import ConditionError, compile_condition
from lifesign.core.errors import InvalidError
from lifesign.core.model import DEFAULT_REGION, Monitor, Severity
from lifesign.core.units import format_duration, parse_duration
from lifesign.probes.registry import Kind, Kinds, guess_kind, settings_from, why_unrecognised
from lifesign.probes.subjects import Subjects, subjects_of
from lifesign.service.settings import (
    Problems,
    SettingsError,
    parse_settings,
    pydantic_problems,
    sentences,
    stored_settings,
    with_kept_secrets,
)

MAX_INTERVAL_S = 366 * 86_400.0
MAX_TIMEOUT_S = 300.0
MAX_CONDITIONS = 50
MAX_TAGS = 50
DEFAULT_TIMEOUT_S = 10.0


def _seconds(value: object) -> float:
    """Seconds from `30s`, `5m` or a number of seconds."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("write a duration such as 30s or 5m, or a number of seconds")  # noqa: TRY004 - pydantic reports ValueError
    if isinstance(value, str) and not re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
        return parse_duration(value).total_seconds()
    return float(value)


def _off(value: object) -> object:
    """None for the ways in which people write that they do not want it."""
    is_zero = value == 0 and not isinstance(value, bool)
    return None if is_zero or value in ("0", "never", "off", "") else value


def words(value: object) -> object:
    """A list, or one text with commas between the words, as forms and query strings have it."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def lines(value: object) -> object:
    """A list, or one text with one item a line."""
    if isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    return value


def no_nul(text: str) -> str:
    """The text itself. Raises ValueError for U+0000, which PostgreSQL cannot store."""
    if "\0" in text:
        raise ValueError("must not hold the character U+0000")
    return text


_SECONDS_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}], "examples": ["30s", 30]}
Seconds = Annotated[float, BeforeValidator(_seconds), WithJsonSchema(_SECONDS_SCHEMA)]
Tag = Annotated[str, StringConstraints(pattern=r"^[^\s,]{1,64}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Condition = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class PolicyDraft(BaseModel):
    """How outcomes become a verdict; what is left out keeps the value it has."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    confirmations: int = Field(
        default=3, ge=1, le=100, description="Failed runs in a row until down."
    )
    recoveries: int = Field(
        default=2, ge=1, le=100, description="Good runs in a row until up again."
    )
    recheck_s: Seconds = Field(
        default=10.0, ge=0, le=3600, description="A first failure is run again so soon."
    )
    quorum: int = Field(default=1, ge=1, le=100, description="Regions that must agree on down.")
    flap_changes: int = Field(
        default=6, ge=0, le=100, description="Changes that count as flapping; 0 is off."
    )
    flap_window: int = Field(
        default=20, ge=2, le=100, description="Runs looked back on for flapping."
    )
    degraded_ms: float | None = Field(
        default=None, gt=0, description="Slower than this is degraded."
    )
    latency_factor: Annotated[float | None, BeforeValidator(_off)] = Field(
        default=3.0,
        ge=1.1,
        le=100,
        description="Told when the p95 is so many times the usual one for three periods; none is off.",
    )
    drift_accept_s: Annotated[Seconds | None, BeforeValidator(_off)] = Field(
        default=86_400.0,
        ge=60,
        le=MAX_INTERVAL_S,
        description="A changed surface becomes the baseline by itself after so long; none is never.",
    )


class MonitorDraft(BaseModel):
    """A monitor as it is written: give a `kind` with `settings`, or paste anything as `target`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(one_line)
    ] = Field(default="", description="What people call it; the target when absent.")
    kind: str = Field(
        default="", max_length=64, description="http, tcp, tls, dns, heartbeat, mcp, …"
    )
    target: str = Field(
        default="",
        max_length=4096,
        description="A URL, host:port or the like, instead of settings.",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="The settings of the kind.")
    interval: Seconds | None = Field(
        default=None,
        ge=1,
        le=MAX_INTERVAL_S,
        description="How often: `30s`, `5m` or seconds; the kind's own default.",
    )
    timeout: Seconds = Field(
        default=DEFAULT_TIMEOUT_S,
        ge=0.1,
        le=MAX_TIMEOUT_S,
        description="How long one run may take.",
    )
    conditions: Annotated[tuple[Condition, ...], BeforeValidator(lines)] = Field(
        default=(),
        max_length=MAX_CONDITIONS,
        description="What must hold, such as `status == 200`.",
    )
    policy: PolicyDraft = Field(
        default_factory=PolicyDraft, description="How outcomes become a verdict."
    )
    severity: Severity = Field(default=Severity.HIGH, description="How much its alerts matter.")
    group: Annotated[str, AfterValidator(one_line)] = Field(
        default="", max_length=200, description="The heading it is listed under."
    )
    tags: Annotated[tuple[Tag, ...], BeforeValidator(words)] = Field(
        default=(), max_length=MAX_TAGS, description="Words that routes and filters go by."
    )
    description: Annotated[str, AfterValidator(no_nul)] = Field(
        default="", max_length=2000, description="What it is for."
    )
    runbook_url: Annotated[
        str, StringConstraints(pattern=r"^(https?://[^\s]+)?$", max_length=2000)
    ] = Field(default="", description="What to do when it is down.")
    regions: Annotated[tuple[Word, ...], BeforeValidator(words)] = Field(
        default=(DEFAULT_REGION,),
        min_length=1,
        max_length=50,
        description="Where it is watched from.",
    )
    paused: bool = Field(default=False, description="Whether it rests.")


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft that was found good: the monitor, its kind, its settings as their model."""

    monitor: Monitor
    kind: Kind
    settings: BaseModel


class DraftReader:
    """Reads drafts against the kinds that this process knows."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._subjects = {name: subjects_of(kind) for name, kind in kinds.items()}

    def new(self, draft: Mapping[str, object], *, base: Monitor) -> Drafted:
        """A new monitor from a whole draft, with the identity of `base`. Raises InvalidError with problems."""
        parsed = self._parsed(draft)
        kind, given = self._kind_and_settings(parsed)
        policy = replace(kind.policy, **parsed.policy.model_dump(exclude_unset=True))
        monitor = replace(
            base,
            kind=kind.name,
            policy=policy,
            interval_s=kind.interval_s,
            timeout_s=kind.timeout_s,
        )
        return self._drafted(monitor, parsed, kind, given=given, kept=base.settings)

    def changed(self, stored: Monitor, changes: Mapping[str, object]) -> Drafted:
        """The stored monitor with what `changes` names; `settings` are merged, null takes a setting back out."""
        parsed = self._parsed(changes)
        if "kind" in parsed.model_fields_set and parsed.kind != stored.kind:
            raise _invalid((("kind", f"is {stored.kind} and cannot change; add a new monitor"),))
        kind = self._kind(stored.kind)
        given = {**stored.settings, **parsed.settings}
        if parsed.target:
            given |= self._guessed(kind, parsed.target)
        given = {
            key: value for key, value in given.items() if parsed.settings.get(key, ...) is not None
        }
        policy = replace(stored.policy, **parsed.policy.model_dump(exclude_unset=True))
        monitor = replace(stored, policy=policy)
        return self._drafted(monitor, parsed, kind, given=given, kept=stored.settings)

    def guess(self, text: str) -> tuple[str, dict[str, object]] | None:
        """The kind and settings that pasted text most likely means; None when no kind knows it."""
        found = guess_kind(self.kinds, text)
        return None if found is None else (found[0].name, found[1])

    def settings_of(self, monitor: Monitor) -> BaseModel:
        """A stored monitor's settings as their model. Raises LookupError or SettingsError for a strange one."""
        return parse_settings(self.kinds[monitor.kind].settings, monitor.settings)

    def _parsed(self, draft: Mapping[str, object]) -> MonitorDraft:
        try:
            return MonitorDraft.model_validate(dict(draft))
        except ValidationError as error:
            raise _invalid(pydantic_problems(error, MonitorDraft)) from None

    def _kind(self, name: str) -> Kind:
        if name not in self.kinds:
            hint = nearest(name, self.kinds)
            reason = f"is unknown; known are {', '.join(self.kinds)}"
            raise _invalid((("kind", reason + (f". Did you mean {hint!r}?" if hint else "")),))
        return self.kinds[name]

    def _kind_and_settings(self, parsed: MonitorDraft) -> tuple[Kind, dict[str, object]]:
        if not parsed.kind and not parsed.target:
            raise _invalid((("target", "is missing: give a target, or a kind with settings"),))
        if parsed.kind:
            kind = self._kind(parsed.kind)
            guessed = self._guessed(kind, parsed.target) if parsed.target else {}
            return kind, {**guessed, **parsed.settings}
        found = self.guess(parsed.target)
        if found is None:
            raise _invalid((("target", why_unrecognised(parsed.target)),))
        return self.kinds[found[0]], {**found[1], **parsed.settings}

    def _guessed(self, kind: Kind, target: str) -> dict[str, object]:
        settings = settings_from(kind, target)
        if not settings:
            raise _invalid((("target", f"is nothing that the kind {kind.name} understands"),))
        return settings

    def _drafted(
        self,
        monitor: Monitor,
        parsed: MonitorDraft,
        kind: Kind,
        *,
        given: dict[str, object],
        kept: Mapping[str, object],
    ) -> Drafted:
        problems = list(_condition_problems(self._subjects[kind.name], parsed.conditions))
        settings: BaseModel | None = None
        try:
            settings = parse_settings(kind.settings, with_kept_secrets(given, kept))
        except SettingsError as error:
            problems += error.problems
        if problems or settings is None:
            raise _invalid(tuple(problems))
        monitor = replace(monitor, settings=stored_settings(settings), **_plain_fields(parsed))
        if monitor.interval_s < kind.least_interval_s:
            raise _invalid((("interval", _too_often(kind)),))
        return Drafted(replace(monitor, name=monitor.name or kind.target(settings)), kind, settings)


def _plain_fields(parsed: MonitorDraft) -> dict[str, Any]:
    """The fields of a monitor that the draft gives, under the monitor's own names."""
    said = parsed.model_fields_set
    names = (
        "name",
        "conditions",
        "severity",
        "group",
        "description",
        "runbook_url",
        "regions",
        "paused",
    )
    fields: dict[str, Any] = {name: getattr(parsed, name) for name in names if name in said}
    if "tags" in said:
        fields["tags"] = tuple(dict.fromkeys(parsed.tags))
    if parsed.interval is not None:
        fields["interval_s"] = parsed.interval
    if "timeout" in said:
        fields["timeout_s"] = parsed.timeout
    return fields


def _too_often(kind: Kind) -> str:
    least = format_duration(timedelta(seconds=kind.least_interval_s))
    return f"is at least {least} for the kind {kind.name}, whose runs are costly"


def _condition_problems(subjects: Subjects, texts: tuple[str, ...]) -> Problems:
    problems: list[tuple[str, str]] = []
    for index, text in enumerate(texts):
        try:
            problem = subjects.problem(compile_condition(text).subject)
        except ConditionError as error:
            problem = str(error)
        if problem:
            problems.append((f"conditions[{index}]", problem))
    return tuple(problems)


def _invalid(problems: Problems) -> InvalidError:
    said = sentences(problems)
    return InvalidError(f"The monitor cannot be used as written: {said}", problems=problems)

"""What an owner says of a canary: calls with known arguments, and what must be true of their results."""

import json
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from lifesign.config.problems import nearest
from lifesign.config.types import ConditionText, Duration
from lifesign.core.condition import Condition, ConditionError, compile_condition
from lifesign.core.jsonpath import PathError, compile_path
from lifesign.core.units import format_duration
from lifesign.probes.mcp.checks.periodic import Weight
from lifesign.probes.mcp.checks.placeholders import NAME, names_in

MAX_STEPS = 20
MAX_EXPECTATIONS = 30
MAX_CONCURRENCY = 50
MAX_ARGUMENTS = 64 * 1024

SUBJECTS = (
    "is_error", "text", "content.count", "content.type", "content.mime", "content.bytes",
    "content.decodes", "duration_ms", "ttfb_ms", "meta.degraded",
)  # fmt: skip
"""What can be asked of a result by name, besides `json("$…")`."""

GIVEN = ("run", "now")
"""Names that are filled in without being taken: one of this run alone, and the instant it began."""


def between(least: timedelta, most: timedelta) -> AfterValidator:
    """A duration within these limits."""

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            shown = f"{least.total_seconds():g} s and {most.total_seconds():g} s"
            raise ValueError(f"write a duration between {shown}")
        return value

    return AfterValidator(check)


def _checked_condition(text: str) -> str:
    try:
        subject = compile_condition(text).subject
    except ConditionError as error:
        raise ValueError(str(error)) from None
    _check_subject(subject)
    return text


def _check_subject(subject: str) -> None:
    if subject in SUBJECTS or subject.startswith("json("):
        return
    hint = nearest(subject, SUBJECTS)
    known = f"did you mean {hint!r}?" if hint else f'known are {", ".join(SUBJECTS)} and json("$…")'
    raise ValueError(f"nothing called {subject!r} is known of a result; {known}")


def _checked_source(text: str) -> str:
    if not text.startswith("$"):
        _check_subject(text)
        return text
    try:
        compile_path(text)
    except PathError as error:
        raise ValueError(str(error)) from None
    return text


def _checked_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """What can be sent: JSON, which has no NaN and no half surrogate pairs, and not too much of it."""
    try:
        written = json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("arguments are JSON: no NaN, no infinity, and whole characters") from None
    if len(written) > MAX_ARGUMENTS:
        raise ValueError(f"arguments have at most {MAX_ARGUMENTS >> 10} KiB of JSON")
    return arguments


Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        title="Name",
        description="Lower case letters, digits and underscores; facts and messages carry it.",
    ),
]
"""A name that can stand inside the name of a fact."""

Expectation = Annotated[ConditionText, AfterValidator(_checked_condition)]


class Poll(BaseModel):
    """Asks again and again until every expectation holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    every: Annotated[Duration, between(timedelta(milliseconds=100), timedelta(minutes=1))] = Field(
        default=timedelta(seconds=1),
        title="Every",
        description="How long to wait between two calls.",
    )
    within: Annotated[Duration, between(timedelta(milliseconds=100), timedelta(minutes=5))] = Field(
        title="Within", description="When the expectations must hold at the latest."
    )


class Step(BaseModel):
    """One call of a tool, and what must be true of its result."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tool: str = Field(
        min_length=1,
        max_length=128,
        title="Tool",
        description="The name of the tool, as it is listed.",
    )
    arguments: Annotated[dict[str, JsonValue], AfterValidator(_checked_arguments)] = Field(
        default_factory=dict,
        title="Arguments",
        description="What the tool is given; `${name}` stands for what an earlier step took.",
    )
    expect: tuple[Expectation, ...] = Field(
        default=(),
        max_length=MAX_EXPECTATIONS,
        title="Expectations",
        description='Conditions on the result, such as json("$.total") > 0.',
    )
    take: dict[Annotated[str, Field(pattern=f"^{NAME}$")], str] = Field(
        default_factory=dict,
        max_length=20,
        title="Take",
        description="Names for values of the result, by JSON path or subject, for later steps.",
    )
    poll: Poll | None = Field(
        default=None, title="Poll", description="Call again until the expectations hold."
    )
    cleanup: bool = Field(
        default=False,
        title="Clean up",
        description="Run this step also after an earlier one failed, to remove what was made.",
    )
    output_schema: bool = Field(
        default=True,
        title="Output schema",
        description="Whether the result must match the outputSchema that the tool declares.",
    )

    @model_validator(mode="after")
    def _check_take(self) -> "Step":
        for name, source in self.take.items():
            _checked_source(source)
            if name in GIVEN:
                raise ValueError(f"the name {name!r} is given, so nothing can be taken under it")
        if self.poll is not None and not self.expect:
            raise ValueError("polling needs an expectation to wait for")
        return self

    def conditions(self) -> tuple[Condition, ...]:
        """The expectations, compiled."""
        return tuple(map(compile_condition, self.expect))


def _is_of_step(name: object) -> bool:
    """Whether a name is one of a step, or is likelier meant for one than for the canary around it."""
    if name in Canary.model_fields or not isinstance(name, str):
        return False
    if name in Step.model_fields:
        return True
    return bool(nearest(name, Step.model_fields)) and not nearest(name, Canary.model_fields)


class Canary(BaseModel):
    """A small piece of real work, done regularly: tools are called with known arguments and must give known answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    every: Annotated[Duration, between(timedelta(seconds=10), timedelta(days=7))] = Field(
        default=timedelta(minutes=5),
        title="Every",
        description="How often it runs; after a failure it runs with every probe.",
    )
    timeout: Annotated[Duration, between(timedelta(milliseconds=100), timedelta(minutes=10))] = (
        Field(
            default=timedelta(seconds=10),
            title="Time-out",
            description="How long all its steps together may take.",
        )
    )
    weight: Weight = Field(
        default=Weight.FAILS,
        title="Weight",
        description="What a failure does to the server: `fails`, `degrades` or only `informational`.",
    )
    allow_writes: bool = Field(
        default=False,
        title="Allow writes",
        description="Call tools that do not say that they only read (readOnlyHint).",
    )
    concurrency: int = Field(
        default=1,
        ge=1,
        le=MAX_CONCURRENCY,
        title="At once",
        description="How many copies run at the same time; the slowest one counts.",
    )
    steps: tuple[Step, ...] = Field(
        min_length=1, max_length=MAX_STEPS, title="Steps", description="The calls, in their order."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_step(cls, given: Any) -> Any:
        """A canary of a single call may be written without `steps`; what is misspelt goes where it was meant to."""
        if not isinstance(given, dict) or "steps" in given or not given.keys() & Step.model_fields:
            return given
        inner = {name: value for name, value in given.items() if _is_of_step(name)}
        outer = {name: value for name, value in given.items() if name not in inner}
        return {**outer, "steps": [inner]}

    @model_validator(mode="after")
    def _check_names(self) -> "Canary":
        taken = set(GIVEN)
        for number, step in enumerate(self.steps, start=1):
            for name in names_in(step.arguments):
                if name not in taken:
                    raise ValueError(
                        f"step {number} uses ${{{name}}}, which no step before it takes"
                    )
            taken |= set(step.take)
            if step.poll is not None and step.poll.within > self.timeout:
                whole, asked = format_duration(self.timeout), format_duration(step.poll.within)
                raise ValueError(
                    f"step {number} polls for up to {asked}, and the canary has {whole} in all; raise `timeout`"
                )
        return self

"""What an owner says of the other primitives: a resource to read, a prompt to expand, a completion, a live stream."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifesign.config.types import Duration
from lifesign.probes.mcp.checks.canary_settings import between
from lifesign.probes.mcp.checks.periodic import Weight

Period = Annotated[Duration, between(timedelta(seconds=10), timedelta(days=1))]


class PeriodicCheck(BaseModel):
    """A check with a period and a weight of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    every: Period = Field(
        default=timedelta(minutes=5),
        title="Every",
        description="How often to look while it is well; while it is not, at every probe.",
    )
    weight: Weight = Field(
        default=Weight.DEGRADES,
        title="Weight",
        description="What it does to the server when it is not well: fails, degrades or informational.",
    )


class ResourceCheck(PeriodicCheck):
    """Reads one resource, and looks at how old it is."""

    every: Period = Field(default=timedelta(minutes=2), title="Every", description="How often.")
    uri: str = Field(
        default="",
        max_length=2000,
        title="Resource",
        description="Which one to read; the first that is listed when empty.",
    )
    max_age: Duration | None = Field(
        default=None,
        title="Maximum age",
        description="Stale when `lastModified`, or the timestamp at `timestamp`, is older than this.",
    )
    timestamp: str = Field(
        default="",
        max_length=200,
        title="Timestamp",
        description="JSON path of a timestamp in its text, such as $.updated_at.",
    )

    @model_validator(mode="after")
    def _check_timestamp(self) -> "ResourceCheck":
        if self.timestamp and not self.timestamp.startswith("$"):
            raise ValueError("the timestamp is a JSON path such as $.updated_at")
        if self.timestamp and self.max_age is None:
            raise ValueError("a timestamp needs max_age, the age at which it is stale")
        return self


class PromptCheck(PeriodicCheck):
    """Expands one prompt within five seconds, the time after which clients give up."""

    name: str = Field(
        default="",
        max_length=200,
        title="Prompt",
        description="Which one to expand; the first without required arguments when empty.",
    )
    arguments: dict[str, str] = Field(
        default_factory=dict, title="Arguments", description="What it is given."
    )


class CompletionCheck(PeriodicCheck):
    """Asks for one completion and looks at how long it takes."""

    prompt: str = Field(
        default="",
        max_length=200,
        title="Prompt",
        description="The prompt whose argument is completed.",
    )
    resource: str = Field(
        default="",
        max_length=2000,
        title="Template",
        description="The resource template whose argument is completed.",
    )
    argument: str = Field(
        min_length=1, max_length=200, title="Argument", description="The argument to complete."
    )
    value: str = Field(
        default="", max_length=200, title="Value", description="What was typed so far."
    )
    most: Duration = Field(
        default=timedelta(seconds=1),
        title="At most",
        description="Slower than this is slow; servers aim at 100 ms, people give up near 3 s.",
    )

    @model_validator(mode="after")
    def _check_reference(self) -> "CompletionCheck":
        if bool(self.prompt) == bool(self.resource):
            raise ValueError("give either the prompt or the resource template to complete")
        return self


class StreamCheck(PeriodicCheck):
    """Looks whether streams flow: progress before the result, and signs of life on an idle stream."""

    tool: str = Field(
        default="",
        max_length=128,
        title="Tool",
        description="A read-only tool that takes a while and reports its progress.",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, title="Arguments", description="What the tool is given."
    )
    alive: Duration | None = Field(
        default=None,
        title="Sign of life",
        description="An idle stream must show a sign of life within this; the time-out must be longer.",
    )

    @model_validator(mode="after")
    def _check_something(self) -> "StreamCheck":
        if not self.tool and self.alive is None:
            raise ValueError("give a tool that reports progress, or within what a stream must live")
        return self

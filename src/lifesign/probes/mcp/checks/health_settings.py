"""What an owner says of a health URL beside an MCP server."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lifesign.config.problems import nearest
from lifesign.config.types import ConditionText, Duration
from lifesign.core.condition import Condition, ConditionError, compile_condition
from lifesign.net.http import parse_url
from lifesign.net.settings import AuthorityPEM, SecretHeaders, VerifyTLS
from lifesign.probes.mcp.checks.canary_settings import Name, between
from lifesign.probes.mcp.checks.periodic import Weight

MAX_CONDITIONS = 30

SUBJECTS = ("status", "latency_ms", "said", "body")
"""What can be asked of a health URL by name, besides `json("$…")` and `header("…")`."""

_STATUS_SET = re.compile(r"[1-5]\d\d(-[1-5]\d\d)?(,[1-5]\d\d(-[1-5]\d\d)?)*")


def _checked_url(text: str) -> str:
    parse_url(text)
    return text.strip()


def _checked_statuses(text: str) -> str:
    bare = re.sub(r"\s+", "", text)
    if not _STATUS_SET.fullmatch(bare):
        raise ValueError("write status codes and ranges, for example 200-299,301")
    return bare


def _checked_condition(text: str) -> str:
    try:
        subject = compile_condition(text).subject
    except ConditionError as error:
        raise ValueError(str(error)) from None
    if subject in SUBJECTS or "(" in subject:
        return text
    hint = nearest(subject, SUBJECTS)
    known = (
        f"did you mean {hint!r}?"
        if hint
        else f'known are {", ".join(SUBJECTS)}, json("$…") and header("…")'
    )
    raise ValueError(f"nothing called {subject!r} is known of a health URL; {known}")


class HealthURL(BaseModel):
    """An address at which a server, or a part of it, says how it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    url: Annotated[
        str,
        Field(title="URL", description="The http or https address to request with GET."),
        AfterValidator(_checked_url),
    ]
    every: Annotated[Duration, between(timedelta(seconds=10), timedelta(days=1))] = Field(
        default=timedelta(seconds=60),
        title="Every",
        description="How often it is asked; when it was not well, with every probe.",
    )
    timeout: Annotated[Duration, between(timedelta(milliseconds=100), timedelta(minutes=1))] = (
        Field(default=timedelta(seconds=10), title="Time-out", description="How long it may take.")
    )
    expect_status: Annotated[str, AfterValidator(_checked_statuses)] = Field(
        default="200-299",
        title="Expected status",
        description="Status codes that are well; with 503 among them, the body alone decides.",
    )
    judge_body: bool = Field(
        default=True,
        title="Judge the body",
        description="Whether words such as `degraded` in the body count, besides the status code.",
    )
    conditions: tuple[Annotated[ConditionText, AfterValidator(_checked_condition)], ...] = Field(
        default=(),
        max_length=MAX_CONDITIONS,
        title="Conditions",
        description='Limits on the answer, such as warn: json("$.pool.waiting") == 0.',
    )
    weight: Weight = Field(
        default=Weight.DEGRADES,
        title="Weight",
        description="What trouble does to the server: `fails`, `degrades` or only `informational`.",
    )
    headers: SecretHeaders = Field(default_factory=dict)
    verify_tls: VerifyTLS = True
    ca_pem: AuthorityPEM = None

    def compiled(self) -> tuple[Condition, ...]:
        """The conditions, compiled."""
        return tuple(map(compile_condition, self.conditions))

    def expects(self, status: int) -> bool:
        """Whether a status code is well."""
        ranges = (part.partition("-") for part in self.expect_status.split(","))
        return any(int(low) <= status <= int(high or low) for low, _, high in ranges)

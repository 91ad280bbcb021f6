"""What an MCP monitor is told, what it tells, and which pasted text means one."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from lifesign.net.facts import TLSFacts
from lifesign.net.http import URLError, parse_url
from lifesign.net.settings import (
    AuthorityPEM,
    BearerToken,
    CertWarnDays,
    SecretHeaders,
    VerifyTLS,
)

_OURS = frozenset({"content-type", "accept", "mcp-session-id", "mcp-protocol-version"})
_DOCUMENT = re.compile(r"\.(html?|md|pdf|png|svg|txt|xml)$", re.IGNORECASE)
_LOCAL = re.compile(r"(localhost|127\.[\d.]+|\[[0-9a-fA-F:.]+\]|[\d.]+)(:\d+)?$")


class MCPSettings(BaseModel):
    """Speaks to an MCP server over Streamable HTTP and lists its tools, as an assistant would."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(
        title="Endpoint",
        description="The URL that clients are given, for example https://example.com/mcp.",
    )
    bearer_token: BearerToken = None
    headers: SecretHeaders = Field(default_factory=dict)
    protocol_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = Field(
        default=None,
        title="Protocol version",
        description="The revision to ask for; the newest one with a handshake when empty.",
    )
    verify_tls: VerifyTLS = True
    ca_pem: AuthorityPEM = None
    cert_warn_days: CertWarnDays = 14

    @field_validator("url")
    @classmethod
    def _check_url(cls, text: str) -> str:
        return str(parse_url(text))

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in headers:
            if name.lower() in _OURS:
                raise ValueError(f"the header {name} is set by the probe itself")
        return headers


class HTTPAnswer(BaseModel):
    """The first HTTP answer."""

    status: int = Field(description="HTTP status of the answer to `initialize`.")


class ServerInfo(BaseModel):
    """What the server says of itself."""

    name: str = Field(description="What the server calls itself.")
    version: str = Field(description="The version it says it has; may be empty.")


class ToolFacts(BaseModel):
    """The tool list."""

    count: int = Field(description="How many tools it lists.")
    names: list[str] = Field(description="The names of its tools, at most the first 100.")


class MCPFacts(BaseModel):
    """What conditions may ask of an MCP server."""

    http: HTTPAnswer
    ip: str = Field(description="The address that was connected to.")
    latency_ms: float = Field(
        description="Milliseconds from the start of the probe to its last answer."
    )
    transport: str = Field(
        description="How `initialize` was answered: json, or sse for an event stream."
    )
    server: ServerInfo
    protocol_version: str = Field(description="The protocol revision that was agreed on.")
    capabilities: list[str] = Field(description="The capabilities it declares, sorted.")
    session: bool = Field(description="Whether the server opened a session.")
    tools: ToolFacts
    tls: TLSFacts = Field(description="The connection and its certificate.")


def implied(settings: MCPSettings) -> tuple[str, ...]:
    """The conditions that the settings stand for."""
    is_watched = settings.cert_warn_days and parse_url(settings.url).is_tls
    return (f"warn: tls.days_left > {settings.cert_warn_days}",) if is_watched else ()


def target(settings: MCPSettings) -> str:
    """The endpoint as people see it: without a query, for keys are put there."""
    return settings.url.partition("?")[0]


def guess(text: str) -> dict[str, object] | None:
    """Settings for a URL that names MCP in its host or path, or that ends in /sse; None for any other."""
    if any(blank in text for blank in " \t\n"):
        return None
    if "://" not in text:
        host, slash, _ = text.partition("/")
        if not slash or ("." not in host and not _LOCAL.match(host)):
            return None
        text = f"{'http' if _LOCAL.match(host) else 'https'}://{text}"
    try:
        url = parse_url(text)
    except URLError:
        return None
    path = urlsplit(str(url)).path.rstrip("/").lower()
    if _DOCUMENT.search(path):
        return None
    is_named = "mcp" in path or "mcp" in re.split(r"[.-]", url.host)
    return {"url": str(url)} if is_named or path.endswith("/sse") else None

"""What an MCP monitor is told, and which pasted text means one."""

import re
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from lifesign.net.http import URLError, parse_url
from lifesign.net.settings import (
    AuthorityPEM,
    BearerToken,
    CertWarnDays,
    ClientCertificate,
    SecretHeaders,
    VerifyTLS,
)
from lifesign.probes.mcp.checks.canary_file import MAX_CANARIES, require_own_names
from lifesign.probes.mcp.checks.canary_settings import Canary
from lifesign.probes.mcp.checks.health_settings import HealthURL
from lifesign.probes.mcp.checks.primitive_settings import (
    CompletionCheck,
    PromptCheck,
    ResourceCheck,
    StreamCheck,
)
from lifesign.probes.mcp.client.oauth import OptionalOAuthClient

_OURS = frozenset(
    {"content-type", "accept", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"}
)
_DOCUMENT = re.compile(r"\.(html?|md|pdf|png|svg|txt|xml)$", re.IGNORECASE)
_LOCAL = re.compile(r"(localhost|127\.[\d.]+|\[[0-9a-fA-F:.]+\]|[\d.]+)(:\d+)?$")


class ServerSettings(BaseModel):
    """What is asked of any MCP server, whatever carries the messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    era: Literal["auto", "modern", "legacy"] = Field(
        default="auto",
        title="Era",
        description="`legacy` begins with a handshake (up to 2025-11-25), `modern` is stateless (2026-07-28).",
    )
    protocol_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = Field(
        default=None,
        title="Protocol version",
        description="The revision to ask for; the newest one of the server's era when empty.",
    )
    resources_are_data: bool = Field(
        default=False,
        title="Resources are data",
        description="The list of resources comes and goes with what the server holds: its changes are no drift.",
    )
    canaries: tuple[Canary, ...] = Field(
        default=(),
        max_length=MAX_CANARIES,
        title="Canaries",
        description="Calls of read-only tools with known arguments, and what must be true of their results.",
        examples=[
            [
                {
                    "name": "search",
                    "every": "5m",
                    "tool": "search_documents",
                    "arguments": {"query": "onboarding"},
                    "expect": ['json("$.total_results") > 0', "warn: duration_ms < 2s"],
                }
            ]
        ],
    )
    health: tuple[HealthURL, ...] = Field(
        default=(),
        max_length=50,
        title="Health URLs",
        description="Addresses at which the server, or a part of it, says how it is.",
        examples=[[{"name": "backend", "url": "https://example.com/health", "every": "60s"}]],
    )
    resource: ResourceCheck | None = Field(
        default=None, title="Resource", description="Reads one resource and looks at its age."
    )
    prompt: PromptCheck | None = Field(
        default=None, title="Prompt", description="Expands one prompt."
    )
    completion: CompletionCheck | None = Field(
        default=None, title="Completion", description="Asks for one completion."
    )
    stream: StreamCheck | None = Field(
        default=None, title="Stream", description="Looks whether progress and idle streams flow."
    )

    @field_validator("canaries")
    @classmethod
    def _check_canaries(cls, canaries: tuple[Canary, ...]) -> tuple[Canary, ...]:
        require_own_names(canaries)
        return canaries

    @field_validator("health")
    @classmethod
    def _check_health(cls, urls: tuple[HealthURL, ...]) -> tuple[HealthURL, ...]:
        names = [url.name for url in urls]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two health URLs are called {repeated!r}; give each its own name")
        return urls


class MCPSettings(ServerSettings):
    """Speaks to an MCP server as an assistant would, and names the first layer that is wrong."""

    url: str = Field(
        title="Endpoint",
        description="The URL that clients are given, for example https://example.com/mcp.",
    )
    transport: Literal["auto", "http", "sse"] = Field(
        default="auto",
        title="Transport",
        description="`http` is Streamable HTTP, `sse` the old transport of two addresses.",
    )
    bearer_token: BearerToken = None
    headers: SecretHeaders = Field(default_factory=dict)
    credential_expires_at: date | None = Field(
        default=None,
        title="Credential expires",
        description="When the token or key runs out, if it does not say so itself; you are told three days before.",
    )
    oauth: OptionalOAuthClient = Field(
        default=None,
        title="OAuth client",
        description="Gets a token from the authorization server with client credentials, and renews it.",
    )
    client_certificate: ClientCertificate | None = Field(
        default=None, title="Client certificate", description="For servers that ask for one."
    )
    check_refusal: bool = Field(
        default=True,
        title="Check the refusal",
        description="With a credential: ask once an hour without it, and mind when strangers are let in or refused badly.",
    )
    session_calls: int = Field(
        default=3,
        ge=0,
        le=20,
        title="Session calls",
        description="Every five minutes a session must answer so many more requests, each over a new connection.",
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

    @model_validator(mode="after")
    def _check_credentials(self) -> "MCPSettings":
        given = {
            "bearer_token": self.bearer_token is not None,
            "oauth": self.oauth is not None,
            "headers.Authorization": any(name.lower() == "authorization" for name in self.headers),
        }
        if sum(given.values()) > 1:
            named = " and ".join(f"`{name}`" for name, is_given in given.items() if is_given)
            raise ValueError(f"{named} are given, and only one credential can be sent; leave one")
        return self


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

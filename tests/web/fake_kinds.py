"""Kinds and channel kinds whose forms hold every sort of field."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lifesign.channels.registry import ChannelKind, ChannelKinds, Receipt
from lifesign.core.model import (
    Observation,
    Policy,
)
from lifesign.probes.registry import Kind, Kinds

NOW = datetime(2026, 11, 20, 14, 4, 30, tzinfo=UTC)
SESSION = "session-of-ada"
READER = "session-of-a-reader"
PASSWORD = "correct horse battery"
NASTY = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class BasicAuth(BaseModel):
    """A name and a password sent with every request."""

    username: str = Field(default="", description="The user's name.")
    password: SecretStr = Field(default=SecretStr(""), description="The password.")


class HttpSettings(BaseModel):
    """Asks a web address and looks at the answer."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        description="The address, with http:// or https://.",
        examples=["https://example.com/health"],
    )
    method: Literal["GET", "HEAD", "POST"] = Field(default="GET", description="How it is asked.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to send.")
    expect: list[str] = Field(default_factory=list, description="Status codes that are fine.")
    redirects: int = Field(default=5, description="How many redirects are followed.")
    verify_tls: bool = Field(default=True, description="Whether the certificate must be valid.")
    token: SecretStr | None = Field(default=None, description="A bearer token.")
    slow: timedelta = Field(default=timedelta(seconds=1), description="Slower than this is slow.")
    auth: BasicAuth | None = Field(default=None, description="Basic authentication.")
    body: dict[str, object] = Field(default_factory=dict, description="A JSON body.")


class TcpSettings(BaseModel):
    """Opens a connection to a port."""

    host: str = Field(description="Name or address.")
    port: int = Field(description="1 to 65535.")


class Canary(BaseModel):
    """A call of a tool with a known answer."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Its name.")
    every: timedelta = Field(default=timedelta(minutes=5), description="How often.")
    expect: list[str] = Field(default_factory=list, description="What must be true.")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Headers.")


class McpSettings(BaseModel):
    """Speaks the Model Context Protocol to a server: handshake, then its list of tools."""

    model_config = ConfigDict(extra="forbid")

    era: Literal["auto", "modern"] = Field(default="auto", description="Which era.")
    canaries: list[Canary] = Field(
        default=[], description="Calls.", examples=[[{"name": "search", "expect": ["text == x"]}]]
    )
    auth: BasicAuth | None = Field(default=None, description="Basic authentication.")
    url: str = Field(description="The endpoint.")
    token: SecretStr | None = Field(default=None, description="A bearer token.")


class HeartbeatSettings(BaseModel):
    """Expects pings from a job and tells when one is missing."""

    period: timedelta = Field(default=timedelta(days=1), description="A ping is due this often.")


class WebhookSettings(BaseModel):
    """Posts a signed JSON message to an address of yours."""

    url: str = Field(description="Where it is posted to.", examples=["https://example.com/hook"])
    secret: SecretStr = Field(description="The key that signs.")


class NoFacts(BaseModel):
    """Nothing."""


class McpFacts(BaseModel):
    """The facts of a kind that publishes a surface."""

    surface: NoFacts


async def _run(_settings: BaseModel, _ctx: object) -> Observation:
    return Observation()


def http_guess(text: str) -> Mapping[str, object] | None:
    return {"url": text} if text.startswith(("http://", "https://")) else None


def tcp_guess(text: str) -> Mapping[str, object] | None:
    host, _, port = text.partition(":")
    return {"host": host, "port": int(port)} if port.isdigit() else None


def _kind(
    name: str,
    title: str,
    settings: type[BaseModel],
    *,
    ladder: tuple[str, ...],
    passive: bool = False,
    guess: object = lambda _text: None,
    facts: type[BaseModel] = NoFacts,
) -> Kind:
    return Kind(
        name=name, title=title, settings=settings, facts=facts, run=_run,
        implied=lambda _settings: (), target=str, ladder=ladder, passive=passive,
        policy=Policy(), interval_s=60.0, guess=guess,  # type: ignore[arg-type]
    )  # fmt: skip


def fake_kinds() -> Kinds:
    """Four kinds, of which one is passive; their settings have every shape that a form knows."""
    return Kinds(
        {
            "http": _kind("http", "Web address", HttpSettings, ladder=("dns", "tcp", "tls", "send", "first_byte", "transfer"), guess=http_guess),
            "tcp": _kind("tcp", "TCP port", TcpSettings, ladder=("dns", "tcp"), guess=tcp_guess),
            "mcp": _kind("mcp", "MCP server", McpSettings, ladder=("dns", "tcp", "tls", "http", "initialize", "initialized", "tools_list", "tools_call"), facts=McpFacts),
            "heartbeat": _kind("heartbeat", "Heartbeat", HeartbeatSettings, ladder=(), passive=True),
        }
    )  # fmt: skip


async def _send(*_args: object) -> Receipt:
    return Receipt(delivered=True)


def fake_channel_kinds() -> ChannelKinds:
    """One kind of channel, with a secret."""
    webhook = ChannelKind(
        name="webhook", title="Webhook", settings=WebhookSettings, send=_send, target=str
    )
    return ChannelKinds({"webhook": webhook})

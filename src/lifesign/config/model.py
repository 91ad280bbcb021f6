"""The configuration as one model; `docs/configuration.md` is generated from these descriptions."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, field_validator

from lifesign.config.declared import ChannelConfig, MonitorConfig, RouteConfig
from lifesign.config.types import Duration, Listen, Nameserver, split_address, split_nameserver


class Section(BaseModel):
    """A part of the configuration; a key that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EgressConfig(Section):
    """Where probes and channels may connect to. The rule holds for the address really connected to."""

    mode: Literal["self-hosted", "public"] = Field(
        default="self-hosted",
        description=(
            "`self-hosted` allows private networks and never metadata addresses; "
            "`public` allows only addresses that are reachable worldwide."
        ),
    )
    allow: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Networks that are allowed although the mode forbids them."
    )
    deny: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Networks that are forbidden although the mode allows them."
    )
    nameservers: tuple[Nameserver, ...] = Field(
        default=(),
        description="Name servers to ask (`address` or `[address]:port`) instead of the system's.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="A PEM file with certificate authorities trusted besides the system's.",
    )

    @property
    def servers(self) -> tuple[tuple[str, int], ...] | None:
        """Address and port of each name server, or None when the system's are to be asked."""
        return tuple(split_nameserver(text) for text in self.nameservers) or None


class LimitsConfig(Section):
    """How much happens at once. What is over a bound waits its turn; it is never dropped in silence."""

    concurrency: int = Field(
        default=5000,
        ge=1,
        description="Probes that run at the same time; hanging targets take places too.",
    )
    per_tenant: int = Field(
        default=5000, ge=1, description="Probes of one tenant that run at the same time."
    )
    per_host: int = Field(
        default=50,
        ge=1,
        description="Probes of one host and port that run at the same time.",
    )
    commands: int | None = Field(
        default=None,
        ge=1,
        description="Programs of MCP monitors (stdio) that run at the same time; as many as CPU cores when absent.",
    )
    live_queue: int = Field(
        default=1000,
        ge=1,
        description="Events that may wait for one slow live reader; beyond it the reader is told to reload.",
    )


class RetentionConfig(Section):
    """How long what was seen is kept."""

    raw: Duration = Field(default=timedelta(days=7), description="Single results of every run.")
    hourly: Duration = Field(default=timedelta(days=120), description="Summaries by the hour.")
    daily: Duration = Field(default=timedelta(days=1825), description="Summaries by the day.")
    transitions: Duration = Field(
        default=timedelta(days=1825), description="Changes of state: what exact uptime is made of."
    )
    alerts: Duration = Field(default=timedelta(days=730), description="Resolved alerts.")
    deliveries: Duration = Field(
        default=timedelta(days=90), description="The delivery log of the channels."
    )
    events: Duration = Field(default=timedelta(days=30), description="Events for live readers.")
    pings: Duration = Field(default=timedelta(days=90), description="Pings of heartbeats.")
    surfaces: Duration = Field(
        default=timedelta(days=730),
        description="Changes of published surfaces; what is published or accepted now always stays.",
    )


class SMTPConfig(Section):
    """The mail server for email channels that name none of their own."""

    host: str = Field(default="", description="The server's name; empty when there is none.")
    port: int = Field(default=587, ge=1, le=65535, description="The server's port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls` upgrades a plain connection and insists on it, `tls` begins encrypted.",
    )
    username: str = Field(default="", description="Who signs in; empty when nobody has to.")
    password: SecretStr = Field(default=SecretStr(""), description="The password of `username`.")
    sender: str = Field(default="", description="The address mail comes from.")


class MCPConfig(Section):
    """What monitors of MCP servers may do."""

    allow_commands: bool = Field(
        default=False,
        description=(
            "Whether monitors may start programs on this machine, which MCP servers over stdio need. Everybody who may "
            "add monitors can then run anything as the user of this server: leave it off unless you trust them with that."
        ),
    )


class Config(Section):
    """Everything an operator can set. Command line over environment over file over default."""

    listen: Listen = Field(
        default="127.0.0.1:8080", description="The address and port of the web page and the API."
    )
    data: Path = Field(
        default=Path("./data"), description="The directory that holds the database and the key."
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="A database instead of the SQLite file in `data`, such as `postgresql://user@host/name`.",
    )
    base_url: AnyHttpUrl | None = Field(
        default=None,
        description="How people reach this server, for links in messages; derived from `listen` when absent.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What encrypts stored secrets, at least 32 characters; a file in `data` is made when absent.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` writes for people on a terminal and JSON otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The mildest level that is written."
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="Networks of reverse proxies that are believed when they say who is calling.",
    )
    metrics_public: bool = Field(
        default=False, description="Whether `/metrics` answers without a token."
    )
    egress: EgressConfig = Field(
        default=EgressConfig(), description="Where probes and channels may connect to."
    )
    limits: LimitsConfig = Field(default=LimitsConfig(), description="How much happens at once.")
    retention: RetentionConfig = Field(
        default=RetentionConfig(), description="How long what was seen is kept."
    )
    smtp: SMTPConfig = Field(default=SMTPConfig(), description="The default mail server.")
    mcp: MCPConfig = Field(default=MCPConfig(), description="What monitors of MCP servers may do.")
    monitors: tuple[MonitorConfig, ...] = Field(
        default=(), description="Monitors that this file owns; they are read-only elsewhere."
    )
    channels: tuple[ChannelConfig, ...] = Field(
        default=(), description="Channels that this file owns; they are read-only elsewhere."
    )
    routes: tuple[RouteConfig, ...] = Field(
        default=(), description="Who is told about which alerts; this file owns them."
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        schemes = ("postgres://", "postgresql://", "postgresql+psycopg://", "sqlite+aiosqlite://")
        if url is not None and not url.get_secret_value().startswith(schemes):
            raise ValueError("a database URL begins with postgresql://")
        return url

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        return split_address(self.listen)

    @property
    def public_url(self) -> str:
        """`base_url` without a slash at its end, or what `listen` suggests."""
        if self.base_url is not None:
            return str(self.base_url).rstrip("/")
        host, port = self.address
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the database. It may hold a password: never show it."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{(self.data / 'lifesign.db').absolute()}"
        url = self.database_url.get_secret_value()
        scheme, separator, rest = url.partition("://")
        driver = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
        return f"{driver.get(scheme, scheme)}{separator}{rest}"

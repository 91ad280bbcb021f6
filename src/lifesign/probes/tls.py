"""TLS: one handshake, and everything that the server's certificate says, trusted or not."""

import time
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lifesign.core.model import Observation
from lifesign.net import NetError
from lifesign.net.facts import TLSFacts, tls_facts
from lifesign.net.tls import TLSOptions, check_authority
from lifesign.net.url import URLError, parse_host, parse_host_port
from lifesign.probes.registry import ProbeContext, probe

_TLS_PORTS = frozenset({443, 465, 636, 853, 989, 990, 993, 995, 5061, 8443})


class TLSSettings(BaseModel):
    """Looks at a server's certificate and tells in time before it expires."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(title="Host", description="Host name or address to connect to.")
    port: int = Field(default=443, ge=1, le=65535, title="Port", description="TCP port.")
    server_name: str | None = Field(
        default=None,
        title="Server name",
        description="Name to ask for (SNI) and to verify, when it is not the host's.",
    )
    verify: bool = Field(
        default=True,
        title="Verify",
        description="Down when the certificate is not trusted or not for this host.",
    )
    ca_pem: str | None = Field(
        default=None,
        title="Authority",
        description="The only certificate authority to trust, in PEM form (default: the system's).",
    )
    warn_days: int = Field(
        default=14,
        ge=0,
        le=365,
        title="Warning",
        description="Degraded when the certificate has fewer days left than this; 0 turns it off.",
    )

    @field_validator("host", "server_name")
    @classmethod
    def _check_host(cls, value: str | None) -> str | None:
        return parse_host(value) if value else None

    @field_validator("ca_pem")
    @classmethod
    def _check_ca(cls, value: str | None) -> str | None:
        return check_authority(value) if value else None


class TLSProbeFacts(BaseModel):
    """What conditions may ask of a TLS probe."""

    ip: str = Field(description="Address that was connected to.")
    latency_ms: float = Field(description="Milliseconds from the start to the handshake's end.")
    tls: TLSFacts = Field(description="The connection and its certificate.")


def _target(settings: TLSSettings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _implied(settings: TLSSettings) -> tuple[str, ...]:
    texts = () if settings.verify else ("tls.days_left > 0",)
    return (*texts, f"warn: tls.days_left > {settings.warn_days}") if settings.warn_days else texts


def _guess(text: str) -> Mapping[str, object] | None:
    """`tls://host[:port]`, or `host:port` with a port that is TLS from the first byte."""
    text = text.strip()
    is_named = text.startswith("tls://")
    try:
        host, port = parse_host_port(
            text.removeprefix("tls://").removesuffix("/"), default_port=443 if is_named else None
        )
    except URLError:
        return None
    return {"host": host, "port": port} if is_named or port in _TLS_PORTS else None


@probe(
    "tls",
    settings=TLSSettings,
    facts=TLSProbeFacts,
    title="Certificate",
    target=_target,
    ladder=("dns", "tcp", "tls"),
    implied=_implied,
    guess=_guess,
    specificity=10,
    interval_s=3600.0,
)
async def probe_tls(settings: TLSSettings, ctx: ProbeContext) -> Observation:
    """Shake hands once and read the chain, also of a handshake that failed."""
    phases: dict[str, float] = {}
    facts: dict[str, object] = {}
    options = TLSOptions(settings.server_name, verify=settings.verify, ca_pem=settings.ca_pem)
    failure, chain = None, None
    started = time.perf_counter()
    try:
        stream = await ctx.net.dial(
            settings.host, settings.port, tls=options, deadline=ctx.deadline, phases=phases
        )
    except NetError as error:
        failure, chain = error.failure, error.chain
    else:
        facts["ip"] = stream.address
        chain = ctx.net.peer_chain(stream)
        stream.close()
    facts["latency_ms"] = round((time.perf_counter() - started) * 1000, 3)
    facts |= tls_facts(chain, ctx.net.trust.chains, now=ctx.clock.now())
    return Observation(facts, phases, failure)

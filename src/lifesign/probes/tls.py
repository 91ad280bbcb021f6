"""TLS: one handshake, and everything that the server's certificate says, trusted or not."""

import time
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from lifesign.core.model import Observation
from lifesign.net import NetError
from lifesign.net.facts import TLSFacts, tls_facts
from lifesign.net.settings import AuthorityPEM, CertWarnDays, Host, ServerName, VerifyTLS
from lifesign.net.tls import TLSOptions
from lifesign.net.url import URLError, parse_host_port
from lifesign.probes.registry import ProbeContext, probe

_TLS_PORTS = frozenset({443, 465, 636, 853, 989, 990, 993, 995, 5061, 8443})


class TLSSettings(BaseModel):
    """Looks at a server's certificate and tells in time before it expires."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Host
    port: int = Field(default=443, ge=1, le=65535, title="Port", description="TCP port.")
    server_name: ServerName = None
    verify_tls: VerifyTLS = True
    ca_pem: AuthorityPEM = None
    cert_warn_days: CertWarnDays = 14


class TLSProbeFacts(BaseModel):
    """What conditions may ask of a TLS probe."""

    ip: str = Field(description="Address that was connected to.")
    latency_ms: float = Field(description="Milliseconds from the start to the handshake's end.")
    tls: TLSFacts = Field(description="The connection and its certificate.")


def _target(settings: TLSSettings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _implied(settings: TLSSettings) -> tuple[str, ...]:
    texts = () if settings.verify_tls else ("tls.days_left > 0",)
    return (
        (*texts, f"warn: tls.days_left > {settings.cert_warn_days}")
        if settings.cert_warn_days
        else texts
    )


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
    options = TLSOptions(settings.server_name, verify=settings.verify_tls, ca_pem=settings.ca_pem)
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

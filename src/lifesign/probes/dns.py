"""DNS: a name's records of any type, from the system's name servers or a chosen one."""

import ipaddress
import time
from collections.abc import Mapping
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.txtbase
from pydantic import BaseModel, ConfigDict, Field, field_validator

from lifesign.core.model import Observation
from lifesign.net import NetError
from lifesign.net.failures import net_error
from lifesign.net.url import URLError, parse_host_port
from lifesign.probes.registry import ProbeContext, probe

MAX_ANSWERS = 100


class DNSSettings(BaseModel):
    """Looks a name up and looks at the records that come back."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(title="Name", description="Domain name to look up.")
    record_type: str = Field(
        default="A", title="Record type", description="A, AAAA, MX, TXT, NS, CAA or any other type."
    )
    nameserver: str | None = Field(
        default=None,
        title="Name server",
        description="Address (and port) to ask, for example 192.0.2.53:53 (default: the system's).",
    )
    expected_rcode: Literal["NOERROR", "NXDOMAIN"] = Field(
        default="NOERROR",
        title="Expected answer",
        description="NOERROR: there must be records. NXDOMAIN: the name must not exist.",
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        try:
            dns.name.from_text(value.strip())
        except (dns.exception.DNSException, UnicodeError):
            raise ValueError("this is not a domain name") from None
        return value.strip()

    @field_validator("record_type")
    @classmethod
    def _check_type(cls, value: str) -> str:
        name = value.strip().upper()
        try:
            kind = dns.rdatatype.from_text(name)
        except (dns.exception.DNSException, ValueError):
            raise ValueError("this is not a record type; A, AAAA, MX or TXT are some") from None
        if dns.rdatatype.is_metatype(kind) and kind != dns.rdatatype.ANY:
            raise ValueError("records of this type cannot be asked for")
        return name

    @field_validator("nameserver")
    @classmethod
    def _check_nameserver(cls, value: str | None) -> str | None:
        if not value:
            return None
        host, port = parse_host_port(value, default_port=53)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("give the name server's address, not its name") from None
        return _shown(host, port)


class DNSFacts(BaseModel):
    """What conditions may ask of a DNS probe."""

    rcode: str = Field(description="The answer's code: NOERROR or NXDOMAIN.")
    answers: list[str] = Field(description="The records' values as text, at most 100.")
    answer_count: int = Field(description="How many records of the type came back.")
    ttl_min: int = Field(description="Smallest time to live of these records, seconds.")
    ad: bool = Field(description="Whether the name server says that DNSSEC has authenticated it.")
    latency_ms: float = Field(description="Milliseconds until the answer came.")


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _target(settings: DNSSettings) -> str:
    return f"{settings.name} {settings.record_type}"


def _guess(text: str) -> Mapping[str, object] | None:
    """`dns://name`, `dns://server/name`, with `?type=MX` if wanted."""
    if not text.strip().lower().startswith("dns:"):
        return None
    rest = text.strip()[4:].removeprefix("//")
    path, _, query = rest.partition("?")
    server, _, name = path.rpartition("/")
    settings: dict[str, object] = {"name": name}
    if server:
        settings["nameserver"] = server
    if query.lower().startswith("type="):
        settings["record_type"] = query[5:]
    try:
        return DNSSettings.model_validate(settings).model_dump(exclude_defaults=True)
    except ValueError:
        return None


@probe(
    "dns",
    settings=DNSSettings,
    facts=DNSFacts,
    title="DNS records",
    target=_target,
    ladder=("dns",),
    guess=_guess,
    specificity=20,
)
async def probe_dns(settings: DNSSettings, ctx: ProbeContext) -> Observation:
    """Ask once (retrying lost packets within the deadline) and report the records."""
    started = time.perf_counter()
    facts: dict[str, object] = {}
    failure = None
    try:
        answer = await ctx.net.resolver.query(
            settings.name,
            settings.record_type,
            deadline=ctx.deadline,
            nameservers=_nameservers(settings, ctx),
        )
        facts |= _answer_facts(answer, settings)
        _check(settings, facts)
    except NetError as error:
        failure = error.failure
    elapsed_ms = (time.perf_counter() - started) * 1000
    facts["latency_ms"] = round(elapsed_ms, 3)
    return Observation(facts, {"dns": elapsed_ms}, failure)


def _nameservers(settings: DNSSettings, ctx: ProbeContext) -> tuple[tuple[str, int], ...]:
    """A chosen name server is a target like any other, so the fence judges it."""
    if settings.nameserver is None:
        return ()
    try:
        host, port = parse_host_port(settings.nameserver, default_port=53)
    except URLError:
        raise net_error("dns", "bad_answer", "The name server's address cannot be read.") from None
    ctx.net.fence.admit(host, (host,))
    return ((host, port),)


def _answer_facts(answer: dns.message.Message, settings: DNSSettings) -> dict[str, object]:
    kind = dns.rdatatype.from_text(settings.record_type)
    sets = [rrset for rrset in answer.answer if kind in {rrset.rdtype, dns.rdatatype.ANY}]
    texts = [_value(record) for rrset in sets for record in rrset]
    facts: dict[str, object] = {
        "rcode": dns.rcode.to_text(answer.rcode()),
        "answers": sorted(texts)[:MAX_ANSWERS],
        "answer_count": len(texts),
        "ad": bool(answer.flags & dns.flags.AD),
    }
    if sets:
        facts["ttl_min"] = min(rrset.ttl for rrset in sets)
    return facts


def _value(record: object) -> str:
    """A record's value as people write it: TXT joined and without quotes, names without the last dot."""
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return b"".join(record.strings).decode("utf-8", "replace")[:1000]
    return str(record).removesuffix(".")[:1000]


def _check(settings: DNSSettings, facts: Mapping[str, object]) -> None:
    asked = f"Looking up {settings.name} {settings.record_type}"
    if facts["rcode"] != settings.expected_rcode:
        if settings.expected_rcode == "NXDOMAIN":
            raise net_error("dns", "exists", f"{asked}: the name exists, but should not.")
        raise net_error("dns", "nxdomain", f"{asked}: the name does not exist.")
    if settings.expected_rcode == "NOERROR" and not facts["answer_count"]:
        raise net_error(
            "dns", "no_address", f"{asked}: the name exists but has no record of this type."
        )

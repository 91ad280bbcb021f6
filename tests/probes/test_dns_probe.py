"""The dns kind against a name server of our own."""

import asyncio

import dns.flags
import dns.message
import pytest
from pydantic import ValidationError

from lifesign.clock import SystemClock
from lifesign.core.condition import compile_condition
from lifesign.core.model import Observation
from lifesign.net import Net
from lifesign.probes.dns import DNSSettings, _guess, probe_dns
from lifesign.probes.registry import ProbeContext
from net.rawserver import name_server, records

ZONE = {
    "A": ("z.example. 300 IN A 192.0.2.1", "z.example. 60 IN A 192.0.2.2"),
    "MX": ("z.example. 300 IN MX 10 mail.example.",),
    "TXT": ('z.example. 300 IN TXT "v=spf1 " "-all"',),
    "CAA": ('z.example. 300 IN CAA 0 issue "ca.example"',),
}


def zone(question: dns.message.Message, _tcp: bool) -> bytes:
    asked = question.question[0]
    if asked.name.to_text() != "z.example.":
        return records(question, rcode=3)
    kind = asked.to_text().rsplit(" ", 1)[1]
    return records(question, *ZONE.get(kind, ()), flags=dns.flags.AD)


async def run(server: tuple[str, int], limit_s: float = 10.0, **settings) -> Observation:
    deadline = asyncio.get_running_loop().time() + limit_s
    given = {"name": "z.example", "nameserver": f"{server[0]}:{server[1]}", **settings}
    context = ProbeContext(Net.open(), SystemClock(), deadline)
    return await probe_dns(DNSSettings(**given), context)


async def test_addresses() -> None:
    async with name_server(zone) as (server, _):
        seen = await run(server)

    assert seen.failure is None
    assert seen.facts["answers"] == ["192.0.2.1", "192.0.2.2"]
    assert (seen.facts["rcode"], seen.facts["ad"]) == ("NOERROR", True)
    assert (seen.facts["answer_count"], seen.facts["ttl_min"]) == (2, 60)
    assert compile_condition('answers contains "192.0.2.2"').hold(seen).holds
    assert list(seen.phases_ms) == ["dns"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("MX", "10 mail.example"), ("TXT", "v=spf1 -all"), ("CAA", '0 issue "ca.example"')],
)
async def test_any_type(kind: str, value: str) -> None:
    async with name_server(zone) as (server, _):
        seen = await run(server, record_type=kind.lower())

    assert seen.facts["answers"] == [value]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"name": "gone.example"}, "nxdomain"),
        ({"record_type": "AAAA"}, "no_address"),
        ({"expected_rcode": "NXDOMAIN"}, "exists"),
    ],
)
async def test_what_is_not_as_expected(settings: dict[str, str], code: str) -> None:
    async with name_server(zone) as (server, _):
        seen = await run(server, **settings)

    assert seen.failure is not None
    assert (seen.failure.layer, seen.failure.code) == ("dns", code)


async def test_a_name_that_must_not_exist() -> None:
    async with name_server(zone) as (server, _):
        seen = await run(server, name="gone.example", expected_rcode="NXDOMAIN")

    assert (seen.failure, seen.facts["rcode"]) == (None, "NXDOMAIN")


async def test_a_silent_name_server() -> None:
    async with name_server(lambda *_: None) as (server, _):
        seen = await run(server, 0.1)

    assert seen.failure is not None
    assert seen.failure.code == "dns_timeout"


async def test_a_chosen_name_server_is_fenced() -> None:
    seen = await run(("169.254.169.254", 53))

    assert seen.failure is not None
    assert seen.failure.layer == "egress"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a..b"},
        {"name": "x" * 70},
        {"record_type": "NOPE"},
        {"record_type": "AXFR"},
        {"nameserver": "dns.example"},
        {"nameserver": "127.1"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DNSSettings(**{"name": "a.example", **wrong})


def test_pasted_text() -> None:
    assert _guess("dns://a.example?type=mx") == {"name": "a.example", "record_type": "MX"}
    assert _guess("dns://[::1]:5353/a.example") == {
        "name": "a.example",
        "nameserver": "[::1]:5353",
    }
    assert _guess("a.example") is None
    assert _guess("dns:..") is None

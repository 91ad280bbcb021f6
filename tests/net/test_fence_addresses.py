"""The fence: nothing that is denied gets through, however it is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.core.model import Reason
from lifesign.net import NetError
from lifesign.net.fence import _NEVER, _NOT_GLOBAL, NEARBY, Fence, FenceError

OPEN = Fence()
PUBLIC = Fence(public=True)


def addresses_of(table) -> st.SearchStrategy[ipaddress.IPv4Address]:
    networks = [ipaddress.ip_network(text) for text, _ in table if ":" not in text]
    return st.sampled_from(networks).flatmap(
        lambda network: st.integers(
            int(network.network_address), int(network.broadcast_address)
        ).map(ipaddress.IPv4Address)
    )


def embeddings(address: ipaddress.IPv4Address) -> dict[str, str]:
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    inverted = number ^ 0xFFFFFFFF
    return {
        "mapped": f"::ffff:{address}",
        "translated": f"::ffff:0:{address}",
        "compatible": f"::{address}",
        "6to4": f"2002:{high:x}:{low:x}::1",
        "nat64": f"64:ff9b::{address}",
        "nat64 local /96": f"64:ff9b:1::{address}",
        "nat64 local /48": str(
            ipaddress.IPv6Address((0x0064_FF9B_0001 << 80) | (high << 64) | (low << 40))
        ),
        "teredo client": f"2001:0:808:808:0:0:{inverted >> 16:x}:{inverted & 0xFFFF:x}",
        "teredo server": f"2001:0:{high:x}:{low:x}::",
        "isatap": f"2606:4700::5efe:{high:x}:{low:x}",
        "isatap global": f"2606:4700::200:5efe:{high:x}:{low:x}",
    }


@given(addresses_of(_NEVER))
def test_what_is_never_allowed_is_denied_in_every_disguise(address: ipaddress.IPv4Address) -> None:
    for fence in (OPEN, PUBLIC):
        assert fence.why_denied(str(address))
        # ::0.0.0.0/8 overlaps ::1 and ::, which are judged as themselves.
        disguises = embeddings(address)
        if int(address) < 2:
            del disguises["compatible"]
        assert {name: d for name, d in disguises.items() if not fence.why_denied(d)} == {}


@given(addresses_of(_NEVER + _NOT_GLOBAL))
def test_public_mode_denies_all_that_is_not_global_in_every_disguise(
    address: ipaddress.IPv4Address,
) -> None:
    assert PUBLIC.why_denied(str(address))
    assert {n: d for n, d in embeddings(address).items() if not PUBLIC.why_denied(d)} == {}


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
        *("fd20:ce::254", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.0.0.0", "::"),
        *("255.255.255.255", "fe80::a9fe:a9fe", "64:ff9b::a9fe:a9fe", "not an address"),
    ],
)
def test_both_modes_deny(address: str) -> None:
    assert OPEN.why_denied(address)
    assert PUBLIC.why_denied(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1", "100.64.0.1"]
)
def test_only_self_hosted_mode_admits_private_addresses(address: str) -> None:
    assert OPEN.why_denied(address) is None
    assert PUBLIC.why_denied(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1", "9.9.9.9"]
)
def test_both_modes_admit_global_addresses(address: str) -> None:
    assert OPEN.why_denied(address) is None
    assert PUBLIC.why_denied(address) is None


@pytest.mark.parametrize("address", ["5f00::1", "2001:db8::1", "::127.0.0.1", "3fff::1", "4000::1"])
def test_public_mode_denies_ipv6_that_is_not_global(address: str) -> None:
    assert PUBLIC.why_denied(address)


def test_allowing_opens_and_denying_wins() -> None:
    fence = Fence(public=True, allow=["10.0.0.0/8", "169.254.169.254"], deny=["10.6.0.0/16"])

    assert fence.why_denied("10.1.2.3") is None
    assert fence.why_denied("169.254.169.254") is None
    assert fence.why_denied("::ffff:10.1.2.3") is None
    assert fence.why_denied("10.6.0.1")
    assert fence.why_denied("64:ff9b::10.6.0.1")


def test_public_mode_denies_a_name_with_one_denied_address() -> None:
    with pytest.raises(NetError) as caught:
        PUBLIC.admit("sly.example", ["1.1.1.1", "10.0.0.5"])
    failure = caught.value.failure

    assert (failure.layer, failure.code, failure.reason) == (
        "egress",
        "blocked_address",
        Reason.BLOCKED,
    )
    assert "10.0.0.5" not in failure.message


def test_self_hosted_mode_leaves_out_the_denied_addresses() -> None:
    assert OPEN.admit("mixed.example", ["169.254.169.254", "10.0.0.5"]) == ["10.0.0.5"]


@pytest.mark.parametrize("name", ["localhost", "db", "a.internal", "x.local", "localhost."])
def test_public_mode_looks_no_local_name_up(name: str) -> None:
    OPEN.check_name(name)
    with pytest.raises(NetError):
        PUBLIC.check_name(name)


def test_no_mode_looks_up_the_metadata_service() -> None:
    with pytest.raises(NetError):
        OPEN.check_name("metadata.google.internal")


def test_a_wrong_entry_is_told() -> None:
    with pytest.raises(FenceError, match="10\\.0\\.0\\.0/99"):
        Fence(allow=["10.0.0.0/99"])


@pytest.mark.parametrize(
    ("address", "is_near"),
    [
        ("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("172.31.0.1", True), ("192.168.1.1", True),
        ("fd12::1", True), ("::ffff:10.0.0.1", True), ("172.32.0.1", False), ("93.184.215.14", False),
        ("2606:2800:220:1::1", False), ("100.64.0.1", False), ("::ffff:93.184.215.14", False),
        ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("169.254.169.254", False), ("fe80::1", False),
        ("fd00:ec2::254", False), ("0.0.0.0", False),
    ],
)  # fmt: skip
def test_nearby_alone_is_loopback_and_private(address, is_near):
    assert (Fence(only=NEARBY).why_denied(address) is None) is is_near

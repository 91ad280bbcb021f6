"""Who is really calling: the peer, unless the peer is a proxy that the operator trusts."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

Networks = Sequence[IPv4Network | IPv6Network]


def client_of(scope: Scope, trusted: Networks) -> str:
    """The caller's address.

    `X-Forwarded-For` is believed from a trusted peer only, and read from its right end: the first address that is
    not a trusted proxy's is the caller's. What stands left of it anybody could have written.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    for hop in reversed(_forwarded_for(scope)):
        if _address(hop) is None:
            return peer
        if not _is_trusted(hop, trusted):
            return hop
    return peer


def is_https(scope: Scope, trusted: Networks) -> bool:
    """Whether the caller came over TLS, here or at a trusted proxy."""
    if scope.get("scheme") == "https":
        return True
    client = scope.get("client")
    if not client or not trusted or not _is_trusted(str(client[0]), trusted):
        return False
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return bool(said) and said[-1].split(b",")[-1].strip().lower() == b"https"


def _forwarded_for(scope: Scope) -> list[str]:
    lines = [
        value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"
    ]
    return [hop.strip() for line in lines for hop in line.split(",") if hop.strip()]


def _is_trusted(text: str, trusted: Networks) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address

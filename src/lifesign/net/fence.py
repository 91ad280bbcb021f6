"""The egress fence: which addresses may be connected to. Judged by our own tables, for `ipaddress` has gaps.

Python's `is_global` calls 192.0.0.192 (Oracle metadata), 168.63.129.16 (Azure's wire server), multicast, and 6to4 or
NAT64 forms of loopback global, and `is_private` misses 100.64.0.0/10. Every IPv4 address that is hidden in an IPv6
address is judged as well. The tables follow the IANA special-purpose registries (RFC 6890 and successors).
"""

import ipaddress
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lifesign.core.errors import InvalidError
from lifesign.net.failures import net_error

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NEVER: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this network"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("100.100.100.200/32", "Alibaba Cloud metadata"),
    ("168.63.129.16/32", "Azure's wire server"),
    ("192.0.0.0/24", "protocol assignments, Oracle Cloud metadata among them"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved and broadcast"),
    ("::/128", "unspecified"),
    ("fd00:ec2::254/128", "Amazon metadata"),
    ("fd20:ce::254/128", "Google Cloud metadata"),
    ("fd00:42::42/128", "Scaleway metadata"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local, deprecated"),
    ("ff00::/8", "multicast"),
)
_NOT_GLOBAL: tuple[tuple[str, str], ...] = (
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("172.16.0.0/12", "private"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "AS112"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("2001::/23", "protocol assignments, Teredo among them"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")
_UNSPECIFIED_V6 = ipaddress.IPv6Address("::")
_V4_MASK = 0xFFFFFFFF

_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data"})
_LOCAL_ENDINGS = (".internal", ".local", ".localhost", ".localdomain", ".home.arpa", ".lan")
_REMEMBERED = 8192

NEARBY = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""Loopback, and the private networks of RFC 1918 and RFC 4193: what somebody has at home or at work."""


def embedded_v4(address: IPv6Address) -> Iterator[IPv4Address]:
    """Every IPv4 address that some transition mechanism would read out of an IPv6 address."""
    number = int(address)
    low = number & _V4_MASK
    if address in (_LOOPBACK_V6, _UNSPECIFIED_V6):
        return
    if any(address in net for net in (_MAPPED, _TRANSLATED, _COMPATIBLE, _NAT64)):
        yield IPv4Address(low)
    if address in _NAT64_LOCAL:
        # RFC 6052 §2.2: a /96 prefix puts it last, a /48 prefix around the reserved bits 64 to 71.
        yield IPv4Address(low)
        yield IPv4Address(((number >> 64) & 0xFFFF) << 16 | (number >> 40) & 0xFFFF)
    if address in _6TO4:
        yield IPv4Address((number >> 80) & _V4_MASK)
    if address in _TEREDO:
        yield IPv4Address((number >> 64) & _V4_MASK)
        yield IPv4Address(low ^ _V4_MASK)
    if (number >> 32) & _V4_MASK in _ISATAP:
        yield IPv4Address(low)


class FenceError(InvalidError):
    """An entry of an allow or deny list is not an address or network."""

    code = "fence"


class Fence:
    """Says of an address why it is denied, or nothing.

    Self-hosted: all but metadata, link-local, multicast and reserved ranges, because people watch their own
    machines. Public: global addresses only. `allow` opens single networks in either mode, `deny` closes them
    and wins. `only` closes everything but its networks, of which what is denied stays denied.
    """

    def __init__(
        self,
        *,
        public: bool = False,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        only: Iterable[str] = (),
    ) -> None:
        self.is_public = public
        self._only = tuple(_network(text) for text in only)
        self._allow = tuple(_network(text) for text in allow)
        self._deny = tuple((_network(text), "on the deny list") for text in deny)
        tables = _NEVER + _NOT_GLOBAL if public else _NEVER
        self._ranges = tuple((ipaddress.ip_network(text), why) for text, why in tables)
        self._verdicts: dict[str, str | None] = {}

    def why_denied(self, text: str) -> str | None:
        """Why this address may not be connected to, or None. What is no address is denied."""
        if text in self._verdicts:
            return self._verdicts[text]
        if len(self._verdicts) >= _REMEMBERED:
            self._verdicts.clear()
        try:
            why = self._judge(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            why = "not an address"
        self._verdicts[text] = why
        return why

    def admit(self, host: str, addresses: Iterable[str]) -> list[str]:
        """The addresses of `host` that may be dialled. Raises `NetError` when it must not be dialled.

        In public mode one denied address denies the host, so that a name cannot smuggle one in.
        """
        admitted: list[str] = []
        denied: list[tuple[str, str]] = []
        for address in addresses:
            why = self.why_denied(address)
            if why is None:
                admitted.append(address)
            else:
                denied.append((address, why))
        if denied and (self.is_public or not admitted):
            address, why = denied[0]
            shown = (
                f"an address that is not public ({why})" if self.is_public else f"{address} ({why})"
            )
            raise net_error("egress", "blocked_address", f"{host} was not dialled: it is {shown}.")
        return admitted

    def check_name(self, host: str) -> None:
        """Refuse names that mean this machine or its cloud before they are looked up. Raises `NetError`.

        With an allow list the addresses alone decide on local names, since it may well mean them.
        """
        name = host.rstrip(".")
        is_local = (self.is_public and not self._allow) and (
            name == "localhost" or name.endswith(_LOCAL_ENDINGS) or not {".", ":"} & set(name)
        )
        if name in _METADATA_NAMES or is_local:
            raise net_error(
                "egress", "blocked_name", f"{name} was not looked up: the name is not public."
            )

    def _judge(self, address: Address) -> str | None:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if why := _first(address, self._deny):
            return why
        if self._only and not any(address in network for network in self._only):
            return "outside the networks that this is meant for"
        if any(address in network for network in self._allow):
            return None
        why = _first(address, self._ranges)
        if why is None and isinstance(address, IPv6Address):
            why = self._judge_v6(address)
        return why

    def _judge_v6(self, address: IPv6Address) -> str | None:
        for hidden in embedded_v4(address):
            if why := self._judge(hidden):
                return f"{why}, hidden in an IPv6 address"
        if self.is_public and address not in _GLOBAL_V6 and address not in _NAT64:
            return "loopback" if address == _LOOPBACK_V6 else "not a global address"
        return None


def _first(address: Address, ranges: Iterable[tuple[Network, str]]) -> str | None:
    return next((why for network, why in ranges if address in network), None)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise FenceError(
            f"{text!r} is neither an address nor a network.",
            remedy="Write it like 192.168.0.0/16 or fd12::/64.",
        ) from None

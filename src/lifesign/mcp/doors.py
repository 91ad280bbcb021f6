"""Which Host and Origin headers `/mcp` answers to: what keeps a web page from using a browser as its hand.

The transport asks for this (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning):
a name that an attacker points at 127.0.0.1 (DNS rebinding) arrives as a Host that is not ours.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from lifesign.config import Config


@dataclass(frozen=True, slots=True)
class Doors:
    """The names under which this server may be spoken to, whatever the port."""

    names: frozenset[str]

    @classmethod
    def of(cls, config: Config) -> "Doors":
        """The configured base URL, the address that is listened on, and `localhost`."""
        names = {"localhost", config.address[0], urlsplit(config.public_url).hostname or ""}
        return cls(frozenset(name.lower() for name in names if name))

    def admits_host(self, host: str) -> bool:
        """Whether a Host header is ours; an IP address always is, because it cannot be rebound."""
        name = _name_in(f"//{host}")
        return name in self.names or _is_address(name)

    def admits_origin(self, origin: str, host: str) -> bool:
        """Whether an Origin header is absent, of the same host, one of our names or of this machine."""
        if not origin or urlsplit(origin).netloc.lower() == host.lower():
            return True
        name = _name_in(origin)
        return name in self.names or (_is_address(name) and ip_address(name).is_loopback)


def _name_in(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

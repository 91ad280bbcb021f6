"""URLs, read strictly: what is ambiguous is refused before any name is looked up.

`127.1`, `0x7f000001`, `2130706433` and `①②⑦.0.0.1` all mean loopback to `getaddrinfo` (the classic ways around
an egress policy), so a host whose last label is a number must be a plain dotted quad.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from lifesign.core.errors import InvalidError

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 4096

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
_NUMERIC = re.compile(r"^(?:0[xX][0-9a-fA-F]*|[0-9]+)$")
_SAFE = "/:?#[]@!$&'()*+,;=%~"


class URLError(InvalidError, ValueError):
    """The text is not a URL that may be watched."""

    code = "url"


@dataclass(frozen=True, slots=True)
class URL:
    """A parsed URL. `host` is lower case ASCII without brackets, `target` what stands in the request line."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_tls(self) -> bool:
        """Whether a connection to it starts with a TLS handshake."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and, if it is not the scheme's own, port: the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: credentials go to one origin only."""
        return self.scheme, self.host, self.port

    @property
    def shown(self) -> str:
        """The URL for messages: the query is left out because people put keys there."""
        path, question, _query = self.target.partition("?")
        return f"{self.scheme}://{self.authority}{path}{'?…' if question else ''}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def join(self, location: str) -> "URL":
        """The URL that a `Location` header means here. Raises `URLError`."""
        try:
            joined = urljoin(str(self), location.strip())
        except ValueError:
            remedy = "Correct the Location header."
            raise URLError("This Location cannot be joined to a URL.", remedy=remedy) from None
        return parse_url(joined)


def parse_url(text: str) -> URL:
    """Read an absolute http or https URL. Raises `URLError`, which never repeats a password."""
    text = text.strip()
    if not text or len(text) > MAX_URL or _FORBIDDEN.search(text):
        raise URLError(
            f"A URL has 1 to {MAX_URL} characters and no blanks, control characters or backslashes.",
            remedy="Write it like https://example.com/health.",
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise URLError("The host or port of the URL cannot be read.") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not parts.netloc:
        raise URLError("The URL does not begin with http:// or https:// and a host.")
    if "@" in parts.netloc:
        raise URLError(
            "The URL holds a user name or password before the host.",
            remedy="Put credentials into the authentication settings, where they are kept secret.",
        )
    if port == 0:
        raise URLError("Port 0 cannot be dialled.")
    host = parse_host(parts.hostname or "")
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE)
    return URL(scheme, host, port or DEFAULT_PORTS[scheme], target)


def parse_host(text: str) -> str:
    """A host name or address in its canonical form (lower case, ASCII, no brackets). Raises `URLError`."""
    host = text.strip().removeprefix("[").removesuffix("]")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise URLError(f"{host!r} is not an IPv6 address.") from None
    name = _ascii(host)
    labels = name.removesuffix(".").split(".")
    if _NUMERIC.match(labels[-1]):
        return _strict_ipv4(host)
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise URLError(f"{host!r} is not a host name.")
    return name


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise URLError(f"{host!r} is not an internationalised host name.") from None


def _strict_ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise URLError(
            f"{host!r} is an ambiguous way to write an address.",
            remedy="Write it as four decimal numbers, for example 192.0.2.7.",
        ) from None


def parse_host_port(text: str, *, default_port: int | None = None) -> tuple[str, int]:
    """Read `host:port`, `[v6]:port` or, given a default port, a bare host. Raises `URLError`."""
    text = text.strip()
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?", text)
    plain = re.fullmatch(r"([^:/?#@\s\[\]]+)(?::(\d{1,5}))?", text)
    match = bracketed or plain
    if match is None and default_port is not None and text.count(":") > 1:
        return parse_host(text), default_port
    if match is None or (match[2] is None and default_port is None):
        raise URLError(f"{text[:100]!r} is not of the form host:port.")
    port = int(match[2]) if match[2] is not None else default_port or 0
    if not 0 < port < 65536:
        raise URLError(f"{port} is not a port; ports are 1 to 65535.")
    return parse_host(match[1]), port

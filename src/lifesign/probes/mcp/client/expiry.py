"""When a credential runs out, as far as it says so itself. Pure; nothing is verified, for it is our own credential."""

import base64
import binascii
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
from cryptography import x509

MAX_TOKEN_CHARS = 16_384
"""A longer token is not looked into; header limits of servers are below it."""

_PARTS = 3
_LAST_YEAR = 9000


@dataclass(frozen=True, slots=True)
class Expiry:
    """When, and how that is known: `jwt`, `oauth`, `entered` or `certificate`."""

    at: datetime
    source: str


def earliest(expiries: Iterable[Expiry | None]) -> Expiry | None:
    """The one that comes first; None when nothing is known."""
    return min((each for each in expiries if each is not None), key=_instant, default=None)


def _instant(expiry: Expiry) -> datetime:
    return expiry.at


def jwt_claims(token: str) -> Mapping[str, object]:
    """The claims of a JSON Web Token (RFC 7519 §7.2), unverified; empty when it is something else."""
    parts = token.split(".", _PARTS)
    if len(token) > MAX_TOKEN_CHARS or len(parts) != _PARTS:
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def jwt_expiry(token: str) -> Expiry | None:
    """What `exp` says (RFC 7519 §4.1.4: seconds since 1970)."""
    seconds = jwt_claims(token).get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return Expiry(at, "jwt") if (at := _instant_of(seconds)) else None


def certificate_expiry(cert_pem: str) -> Expiry | None:
    """The end of the first certificate of a PEM text that ends; None when there is none that can be read."""
    try:
        certificates = x509.load_pem_x509_certificates(cert_pem.encode())
    except ValueError:
        return None
    ends = [certificate.not_valid_after_utc for certificate in certificates]
    return Expiry(min(ends), "certificate") if ends else None


def entered_expiry(day: date | None) -> Expiry | None:
    """A day that a person entered: the credential may be gone from its first minute (UTC) on."""
    if day is None:
        return None
    if isinstance(day, datetime):
        return Expiry(day if day.tzinfo else day.replace(tzinfo=UTC), "entered")
    return Expiry(datetime(day.year, day.month, day.day, tzinfo=UTC), "entered")


def lifetime(expires_in: object) -> timedelta | None:
    """The `expires_in` of a token endpoint (RFC 6749 §5.1), which some servers send as a text; at most ten years."""
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    if isinstance(expires_in, bool) or not math.isfinite(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), 3650 * 86_400.0))


def _instant_of(seconds: float) -> datetime | None:
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.year < _LAST_YEAR else None

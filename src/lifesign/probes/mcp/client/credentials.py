"""What a monitor shows a server to be let in: headers, a token, a certificate; when it runs out; whose surface it sees.

Nothing here writes a secret anywhere but into the request that it is for.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol, Self

from cryptography import x509
from pydantic import SecretStr

from lifesign.core.model import Failure
from lifesign.net.http import parse_url
from lifesign.net.settings import ClientCertificate
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.client.expiry import (
    Expiry,
    certificate_expiry,
    earliest,
    entered_expiry,
    jwt_claims,
    jwt_expiry,
)
from lifesign.probes.mcp.client.oauth import OAuthClient, OptionalOAuthClient, TokenSource
from lifesign.probes.mcp.client.tokens import Token
from lifesign.probes.mcp.sheet import failed
from lifesign.probes.registry import ProbeContext

__all__ = [
    "ClientCertificate",
    "Credentials",
    "Headers",
    "OAuthClient",
    "OptionalOAuthClient",
    "audience_of",
    "is_credential",
]

Headers = tuple[tuple[str, str], ...]

_HARMLESS = frozenset(
    {
        "user-agent", "accept-language", "accept-encoding", "cache-control", "pragma", "origin", "referer", "host",
        "from", "via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
        "x-request-id", "traceparent", "tracestate", "priority", "dnt",
    }
)  # fmt: skip
"""Headers that let nobody in. Any other that a person sets may be a key, so it counts as one."""

_AUDIENCE_KEY = b"lifesign: whose surface is seen"
_IDENTITY_CLAIMS = ("iss", "sub", "client_id", "azp", "scope", "scp")
_SOURCES: Mapping[str, str] = {
    "jwt": "as the token itself says",
    "oauth": "as the authorization server said, which gives no new one",
    "entered": "as it was entered",
    "certificate": "as the client certificate says",
}


HANG_UPS = frozenset({("tls", "handshake_failed"), ("tcp", "reset"), ("http", "closed_early")})
"""How a server says that it does not like the client's certificate; under TLS 1.3 that comes after the handshake."""


class CredentialSettings(Protocol):
    """The settings of a monitor that say who it is."""

    @property
    def url(self) -> str: ...
    @property
    def bearer_token(self) -> SecretStr | None: ...
    @property
    def headers(self) -> Mapping[str, SecretStr]: ...
    @property
    def oauth(self) -> OAuthClient | None: ...
    @property
    def client_certificate(self) -> ClientCertificate | None: ...
    @property
    def credential_expires_at(self) -> date | None: ...
    @property
    def verify_tls(self) -> bool: ...
    @property
    def ca_pem(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credential of one monitor. It stays the same from run to run; tokens that change live in `ctx.memory`.

    `tls` is how one connects with the client certificate, `audience` the fingerprint of who is let in.
    """

    tls: TLSOptions
    audience: str
    _fixed: Headers = field(default=(), repr=False)
    _source: TokenSource | None = field(default=None, repr=False)
    _known: Expiry | None = None

    @classmethod
    def of(cls, settings: CredentialSettings) -> Self:
        """Read the settings, once: certificates and tokens are looked into here."""
        tls, known = TLSOptions(verify=settings.verify_tls, ca_pem=settings.ca_pem), []
        if (certificate := settings.client_certificate) is not None:
            tls = replace(
                tls,
                client_cert_pem=certificate.cert_pem,
                client_key_pem=certificate.key_pem.get_secret_value(),
            )
            known.append(certificate_expiry(certificate.cert_pem))
        fixed = _fixed_headers(settings)
        known += [jwt_expiry(value.rpartition(" ")[2]) for _, value in fixed]
        known.append(entered_expiry(settings.credential_expires_at))
        source = None
        if settings.oauth is not None:
            source = TokenSource(settings.oauth, parse_url(settings.url), tls)
        return cls(tls, audience_of(settings), fixed, source, earliest(known))

    @property
    def is_set(self) -> bool:
        """Whether there is anything that could let us in."""
        return bool(self.audience)

    async def headers(self, ctx: ProbeContext) -> Headers:
        """The headers that let us in; asks for a token when none is held. Raises `NetError` of layer credential."""
        if self._source is None:
            return self._fixed
        return self._with(await self._source.token(ctx))

    async def renewed(self, ctx: ProbeContext) -> Headers | None:
        """The headers with a new token after a 401; None when there is nothing to renew. Raises like `headers`."""
        if self._source is None:
            return None
        return self._with(await self._source.another(ctx))

    def expiry(self, ctx: ProbeContext) -> Expiry | None:
        """When the first part of the credential runs out, as far as that is known."""
        end = self._source.ends_at(ctx) if self._source is not None else None
        return earliest((self._known, Expiry(end, "oauth") if end is not None else None))

    def facts(self, ctx: ProbeContext) -> dict[str, object]:
        """`credential.expires_at`, `.expires_in_s` and `.source`; nothing when no end is known."""
        expiry = self.expiry(ctx)
        if expiry is None:
            return {}
        return {
            "credential.expires_at": expiry.at.isoformat(),
            "credential.expires_in_s": round((expiry.at - ctx.clock.now()).total_seconds(), 1),
            "credential.source": expiry.source,
        }

    def excuse(self, failure: Failure, ctx: ProbeContext) -> Failure:
        """What to tell instead of a refusal when the credential is known to have run out: that is our own fault."""
        expiry = self.expiry(ctx)
        if expiry is None or expiry.at > ctx.clock.now() or not _is_refusal(failure, expiry):
            return failure
        message = (
            f"The credential of this monitor ran out at {expiry.at:%Y-%m-%d %H:%M} UTC, {_SOURCES[expiry.source]}, "
            f"and the server refuses it: {failure.message}"
        )
        return failed("credential", "expired", message, evidence=failure.evidence)

    def _with(self, token: Token) -> Headers:
        others = tuple([each for each in self._fixed if each[0].lower() != "authorization"])
        return (*others, ("Authorization", f"Bearer {token.access}"))


def is_credential(header: str) -> bool:
    """Whether a header that a person set may be what lets us in."""
    return header.lower() not in _HARMLESS


def audience_of(settings: CredentialSettings) -> str:
    """Eight hexadecimal digits that stand for whom the server takes us for; empty for anybody.

    They are the same in every region and process, and stay the same when a token is renewed for the same subject.
    Thirty-two bits of a keyed hash tell nothing about a secret.
    """
    who: list[object] = []
    if settings.oauth is not None:
        client = settings.oauth
        place = client.issuer or client.token_url or ""
        who.append(["oauth", client.client_id, place, client.scope])
    who += [_who_in_header(name, value) for name, value in sorted(_fixed_headers(settings))]
    if settings.client_certificate is not None:
        who.append(["certificate", _subject_of(settings.client_certificate.cert_pem)])
    if not who:
        return ""
    text = json.dumps(who, sort_keys=True, default=str).encode()
    return hashlib.blake2b(text, digest_size=4, key=_AUDIENCE_KEY).hexdigest()


def _fixed_headers(settings: CredentialSettings) -> Headers:
    given = [
        (name, value.get_secret_value())
        for name, value in settings.headers.items()
        if is_credential(name)
    ]
    if settings.bearer_token is not None:
        given = _without(given, "authorization")
        given.append(("Authorization", f"Bearer {settings.bearer_token.get_secret_value()}"))
    return tuple(given)


def _without(headers: Iterable[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [each for each in headers if each[0].lower() != name]


def _who_in_header(name: str, value: str) -> list[object]:
    """The subject of a token that names one, else the value itself."""
    claims = jwt_claims(value.rpartition(" ")[2])
    named = {claim: claims[claim] for claim in _IDENTITY_CLAIMS if claim in claims}
    return [name.lower(), named if "sub" in named or "client_id" in named else value]


def _subject_of(cert_pem: str) -> str:
    try:
        leaf = x509.load_pem_x509_certificates(cert_pem.encode())[0]
    except (ValueError, IndexError):
        return cert_pem
    return f"{leaf.subject.rfc4514_string()} / {leaf.issuer.rfc4514_string()}"


def _is_refusal(failure: Failure, expiry: Expiry) -> bool:
    """Whether a failure is one that an expired credential explains."""
    if failure.layer == "auth":
        return True
    return expiry.source == "certificate" and (failure.layer, failure.code) in HANG_UPS

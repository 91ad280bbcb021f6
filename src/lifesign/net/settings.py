"""Settings that several kinds share, so that they are named, described and checked alike everywhere."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from lifesign.net.tls import check_authority
from lifesign.net.url import parse_host

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
"""A token of RFC 9110 §5.6.2."""
_HEADER_VALUE = re.compile(r"[^\r\n\0]{0,8192}")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_TOKEN = re.compile(r"[\x21-\x7e]{0,8192}")


def _checked_authority(pem: str | None) -> str | None:
    return check_authority(pem) if pem else None


def _checked_host(host: str | None) -> str | None:
    return parse_host(host) if host else None


def _checked_token(token: SecretStr | None) -> SecretStr | None:
    word = token.get_secret_value().strip() if token is not None else ""
    if not _TOKEN.fullmatch(word):
        raise ValueError("a token is one word of at most 8192 ASCII characters")
    return SecretStr(word) if word else None


def _checked_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is not a header's name")
        if name.lower() in _FRAMING:
            raise ValueError(f"the header {name} is set by the probe itself")
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of {name} must be one line of at most 8192 characters")
    return headers


Host = Annotated[
    str,
    Field(title="Host", description="Host name or address to connect to."),
    AfterValidator(parse_host),
]
ServerName = Annotated[
    str | None,
    Field(
        title="Server name",
        description="Name to ask for (SNI) and to verify, when it is not the host's.",
    ),
    AfterValidator(_checked_host),
]
VerifyTLS = Annotated[
    bool,
    Field(
        title="Verify TLS",
        description="Down when the certificate is not trusted or not for this host.",
    ),
]
AuthorityPEM = Annotated[
    str | None,
    Field(
        max_length=200_000,
        title="Authority",
        description="The only certificate authorities to trust, in PEM form (default: the system's).",
    ),
    AfterValidator(_checked_authority),
]
CertWarnDays = Annotated[
    int,
    Field(
        ge=0,
        le=365,
        title="Certificate warning",
        description="Degraded when the certificate has fewer days left than this; 0 turns it off.",
    ),
]
BearerToken = Annotated[
    SecretStr | None,
    Field(
        title="Bearer token",
        description="Token to send as `Authorization: Bearer …`, to this origin only.",
    ),
    AfterValidator(_checked_token),
]
SecretHeaders = Annotated[
    dict[str, SecretStr],
    Field(
        max_length=50,
        title="Headers",
        description="Headers to send. Their values are kept secret, for many hold keys.",
    ),
    AfterValidator(_checked_headers),
]

"""Settings that several kinds share, so that they are named, described and checked alike everywhere."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from lifesign.net.tls import check_authority, check_client_pair
from lifesign.net.url import parse_host

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
"""A token of RFC 9110 §5.6.2."""
_HEADER_VALUE = re.compile(r"[^\r\n\0]{0,8192}")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_TOKEN = re.compile(r"[\x21-\x7e]{0,8192}")
_PEM_BLOCK = re.compile(r"(-----BEGIN [A-Z0-9 ]+-----)([^-]+)(-----END [A-Z0-9 ]+-----)\s*")


def _checked_authority(pem: str | None) -> str | None:
    return check_authority(pem) if pem else None


def _unfolded(pem: str) -> str:
    """PEM with its lines as they were: a one-line form field turns them into blanks, and OpenSSL wants them."""
    return _PEM_BLOCK.sub(lambda block: f"{block[1]}\n{_lines(block[2])}\n{block[3]}\n", pem)


def _lines(text: str) -> str:
    letters = "".join(text.split())
    return "\n".join(letters[start : start + 64] for start in range(0, len(letters), 64))


def _unfolded_secret(pem: SecretStr) -> SecretStr:
    return SecretStr(_unfolded(pem.get_secret_value()))


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


class ClientCertificate(BaseModel):
    """The certificate that is shown to a server which asks clients for one (mutual TLS)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cert_pem: Annotated[str, AfterValidator(_unfolded)] = Field(
        max_length=200_000,
        title="Certificate",
        description="The client certificate in PEM form; intermediate certificates may follow it.",
    )
    key_pem: Annotated[SecretStr, AfterValidator(_unfolded_secret)] = Field(
        max_length=50_000,
        title="Key",
        description="Its private key in PEM form, without a passphrase.",
    )

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        check_client_pair(self.cert_pem, self.key_pem.get_secret_value())
        return self

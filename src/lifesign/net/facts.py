"""What conditions may ask of a TLS connection, for every kind that makes one."""

from datetime import datetime

from pydantic import BaseModel, Field

from lifesign.net.chain import ChainReader, PeerChain

_DAY_S = 86_400


class TLSFacts(BaseModel):
    """The connection's TLS and the certificate that the server showed, also when it was refused."""

    version: str = Field(
        description="TLS version, for example TLSv1.3; empty when none was agreed on."
    )
    cipher: str = Field(description="Cipher suite in OpenSSL's name.")
    alpn: str = Field(description="Protocol agreed on by ALPN, for example h2; may be empty.")
    verified: bool = Field(description="Whether the chain and the host name were verified.")
    verify_code: int = Field(
        description="OpenSSL's verification error number; 0 when there is none."
    )
    verify_message: str = Field(description="OpenSSL's words for that number; may be empty.")
    subject: str = Field(description="Common name (or whole name) that the certificate is for.")
    issuer: str = Field(description="Common name (or whole name) of who issued it.")
    sans: list[str] = Field(
        description="Host names and addresses that it is valid for, at most 100."
    )
    serial: str = Field(description="Serial number in hexadecimal.")
    not_before: str = Field(description="Start of its validity (ISO 8601, UTC).")
    not_after: str = Field(description="End of its validity (ISO 8601, UTC).")
    days_left: float = Field(description="Days until it expires; negative when it has.")
    chain_days_left: float = Field(
        description="Days until the first certificate of the chain expires."
    )
    self_signed: bool = Field(description="Whether it names itself as its issuer.")
    key: str = Field(description="Kind of its key, for example RSA or EC secp256r1.")
    key_bits: int = Field(description="Size of its key in bits; 0 when unknown.")
    signature: str = Field(description="Hash of its signature, for example sha256.")
    chain_length: int = Field(description="How many certificates the server sent, at most 10.")
    fingerprint_sha256: str = Field(description="SHA-256 of the certificate in hexadecimal.")


def tls_facts(chain: PeerChain | None, reader: ChainReader, *, now: datetime) -> dict[str, object]:
    """The facts by dotted name (`tls.days_left`); what is unknown is absent."""
    if chain is None:
        return {}
    facts: dict[str, object] = {
        "tls.version": chain.version,
        "tls.cipher": chain.cipher,
        "tls.alpn": chain.alpn,
        "tls.verified": chain.verified,
        "tls.verify_code": chain.verify_code,
        "tls.verify_message": chain.verify_message,
    }
    read = reader.read(chain)
    if read is None:
        return facts
    facts |= read.facts
    facts["tls.days_left"] = _days(read.not_after, now)
    facts["tls.chain_days_left"] = _days(read.chain_not_after, now)
    return facts


def _days(end: datetime, now: datetime) -> float:
    return round((end - now).total_seconds() / _DAY_S, 2)

"""The certificates that a peer sent, and what they say; parsed once per certificate, not once per probe."""

import hashlib
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

MAX_CHAIN = 10
MAX_SANS = 100
_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What one leaf certificate and the chain sent with it say. Instants are aware UTC."""

    subject: str
    issuer: str
    sans: tuple[str, ...]
    serial: str
    not_before: datetime
    not_after: datetime
    chain_not_after: datetime
    self_signed: bool
    key: str
    key_bits: int
    signature: str
    has_issuer_url: bool
    fingerprint_sha256: str
    chain_length: int

    @property
    def facts(self) -> dict[str, object]:
        """What does not change with time, by dotted fact name."""
        return {
            "tls.subject": self.subject,
            "tls.issuer": self.issuer,
            "tls.sans": list(self.sans),
            "tls.serial": self.serial,
            "tls.not_before": self.not_before.isoformat(),
            "tls.not_after": self.not_after.isoformat(),
            "tls.self_signed": self.self_signed,
            "tls.key": self.key,
            "tls.key_bits": self.key_bits,
            "tls.signature": self.signature,
            "tls.chain_length": self.chain_length,
            "tls.fingerprint_sha256": self.fingerprint_sha256,
        }


@dataclass(frozen=True, slots=True)
class PeerChain:
    """The DER certificates as sent, leaf first, and OpenSSL's verdict on them (code 0: nothing wrong)."""

    ders: tuple[bytes, ...]
    verified: bool
    verify_code: int = 0
    verify_message: str = ""
    version: str = ""
    cipher: str = ""
    alpn: str = ""


def peer_chain(
    tls: ssl.SSLObject, *, verified: bool, error: ssl.SSLError | None = None
) -> PeerChain:
    """What the peer showed, also after a handshake that failed."""
    cipher = tls.cipher()
    return PeerChain(
        _ders(tls),
        verified=verified,
        verify_code=getattr(error, "verify_code", 0),
        verify_message=getattr(error, "verify_message", ""),
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        alpn=tls.selected_alpn_protocol() or "",
    )


def _ders(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The chain as sent. `get_unverified_chain` is public from Python 3.13 on and on the inner object before."""
    if hasattr(tls, "get_unverified_chain"):
        return tuple(tls.get_unverified_chain()[:MAX_CHAIN])
    certificates = cast("Any", tls)._sslobj.get_unverified_chain() or ()  # noqa: SLF001
    return tuple(ssl.PEM_cert_to_DER_cert(c.public_bytes()) for c in certificates[:MAX_CHAIN])


class ChainReader:
    """Turns chains into facts and remembers the last few thousand by the whole chain's fingerprint."""

    def __init__(self) -> None:
        self._read: OrderedDict[bytes, CertificateFacts | None] = OrderedDict()

    def read(self, chain: PeerChain) -> CertificateFacts | None:
        """The facts, or None when nothing was sent or the leaf cannot be parsed."""
        if not chain.ders:
            return None
        key = hashlib.sha256(b"".join(chain.ders)).digest()
        if key in self._read:
            self._read.move_to_end(key)
            return self._read[key]
        facts = self._read[key] = parse_chain(chain.ders)
        if len(self._read) > _CACHE_SIZE:
            self._read.popitem(last=False)
        return facts


def parse_chain(ders: tuple[bytes, ...]) -> CertificateFacts | None:
    """Read the leaf, and of the others when they end. None when the leaf is not X.509."""
    try:
        leaf = x509.load_der_x509_certificate(ders[0])
        others = (x509.load_der_x509_certificate(der) for der in ders[1:])
        ends = [leaf.not_valid_after_utc, *(other.not_valid_after_utc for other in others)]
        return CertificateFacts(
            subject=_name(leaf.subject),
            issuer=_name(leaf.issuer),
            sans=_sans(leaf),
            serial=f"{leaf.serial_number:x}",
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            chain_not_after=min(ends),
            self_signed=leaf.subject == leaf.issuer,
            key=_key(leaf)[0],
            key_bits=_key(leaf)[1],
            signature=_signature(leaf),
            has_issuer_url=_has_issuer_url(leaf),
            fingerprint_sha256=hashlib.sha256(ders[0]).hexdigest(),
            chain_length=len(ders),
        )
    except ValueError:
        return None


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value)[:200] if common else name.rfc4514_string()[:200]


def _sans(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    known = (x509.DNSName, x509.IPAddress)
    return tuple(str(name.value) for name in names if isinstance(name, known))[:MAX_SANS]


def _has_issuer_url(certificate: x509.Certificate) -> bool:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return any(
        item.access_method == AuthorityInformationAccessOID.CA_ISSUERS for item in access.value
    )


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "unknown", 0
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", 256
    return ("Ed448", 456) if isinstance(key, ed448.Ed448PublicKey) else ("unknown", 0)


def _signature(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return algorithm.name if algorithm is not None else "none"

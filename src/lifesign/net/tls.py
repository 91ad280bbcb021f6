"""Trust: which certificates a connection accepts, and what OpenSSL's verdict means in our words."""

import ssl
import tempfile
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import certifi

from lifesign.core.errors import InvalidError
from lifesign.net.chain import ChainReader, PeerChain
from lifesign.net.failures import NetError, net_error, span

_CONTEXTS = 256
_EXPIRED, _NOT_YET_VALID = 10, 9
_MISMATCHES = (62, 63, 64)
_SELF_SIGNED = (18, 19)
_UNKNOWN_ISSUER = (2, 20, 21)
_VERSION_WORDS = (
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_VERSION_NUMBER",
    "NO_PROTOCOLS",
)


class TrustError(InvalidError, ValueError):
    """A certificate or key that was given cannot be used."""

    code = "trust"


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """How one connection does TLS.

    `server_name` replaces the dialled host in SNI and verification. `ca_pem`, when given, is the whole trust:
    the system's roots are then not accepted. `alpn` offers protocols, preferred first.
    """

    server_name: str | None = None
    verify: bool = True
    ca_pem: str | None = None
    alpn: tuple[str, ...] = ()
    client_cert_pem: str | None = None
    client_key_pem: str | None = field(default=None, repr=False)


class TrustStore:
    """One `SSLContext` per trust policy: building one costs over 20 ms and some megabytes."""

    def __init__(self, *, extra_ca_pem: str | None = None) -> None:
        self._extra_ca_pem = extra_ca_pem
        self._contexts: OrderedDict[TLSOptions, ssl.SSLContext] = OrderedDict()
        self.chains = ChainReader()

    def context(self, options: TLSOptions) -> ssl.SSLContext:
        """The shared context of this policy. Raises `TrustError` when a given certificate cannot be read."""
        key = options if options.server_name is None else _policy(options)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._build(key)
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return context

    def _build(self, options: TLSOptions) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.hostname_checks_common_name = False
        context.options |= ssl.OP_NO_COMPRESSION
        if options.alpn:
            context.set_alpn_protocols(list(options.alpn))
        if options.client_cert_pem:
            _load_client(context, options)
        if not options.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif options.ca_pem:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            _load_authority(context, options.ca_pem)
        else:
            self._load_system(context)
        return context

    def _load_system(self, context: ssl.SSLContext) -> None:
        context.set_default_verify_paths()
        paths = ssl.get_default_verify_paths()
        has_directory = paths.capath is not None and any(Path(paths.capath).iterdir())
        if not has_directory and context.cert_store_stats()["x509_ca"] == 0:
            context.load_verify_locations(cafile=certifi.where())
        if self._extra_ca_pem:
            _load_authority(context, self._extra_ca_pem)


def _policy(options: TLSOptions) -> TLSOptions:
    return TLSOptions(
        None,
        verify=options.verify,
        ca_pem=options.ca_pem,
        alpn=options.alpn,
        client_cert_pem=options.client_cert_pem,
        client_key_pem=options.client_key_pem,
    )


def check_authority(pem: str) -> str:
    """Return `pem` when it holds certificates that OpenSSL can load. Raises `TrustError`."""
    _load_authority(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pem)
    return pem


def check_client_pair(cert_pem: str, key_pem: str) -> None:
    """Raises `TrustError` unless OpenSSL can load a client certificate together with its key."""
    options = TLSOptions(client_cert_pem=cert_pem, client_key_pem=key_pem)
    _load_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), options)


def _load_authority(context: ssl.SSLContext, pem: str) -> None:
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise TrustError(
            "The authority's certificate cannot be read.",
            remedy="Give it in PEM form, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.",
        ) from None


def _load_client(context: ssl.SSLContext, options: TLSOptions) -> None:
    """OpenSSL's loader takes files only, so the pair lives in a private file for the length of this call."""
    pem = f"{options.client_cert_pem}\n{options.client_key_pem or ''}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        try:
            context.load_cert_chain(file.name, password=b"")
        except (ssl.SSLError, ValueError):
            raise TrustError(
                "The client certificate and its key cannot be used together.",
                remedy="Give both in PEM form, the key without a passphrase.",
            ) from None


def tls_error(
    error: ssl.SSLError, *, chain: PeerChain, reader: ChainReader, target: str, elapsed_s: float
) -> NetError:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code, words = _verdict(error, chain, reader)
    else:
        code, words = why_broken(error)
    took = span(elapsed_s)
    failure = net_error("tls", code, f"TLS handshake with {target} failed after {took}: {words}.")
    return NetError(failure.failure, chain=chain)


def _verdict(
    error: ssl.SSLCertVerificationError, chain: PeerChain, reader: ChainReader
) -> tuple[str, str]:
    facts = reader.read(chain)
    number = error.verify_code
    subject = f"the certificate of {facts.subject!r}" if facts else "the certificate"
    if number == _EXPIRED:
        return (
            "cert_expired",
            f"a certificate has expired; {subject} {_until(facts.not_after if facts else None)}",
        )
    if number == _NOT_YET_VALID:
        return "cert_not_yet_valid", f"{subject} is not valid yet"
    if number in _MISMATCHES:
        names = ", ".join(facts.sans[:5]) if facts and facts.sans else "no host at all"
        return "host_mismatch", f"{subject} names {names}, not this host"
    issuer = f" by {facts.issuer!r}" if facts else ""
    if number in _SELF_SIGNED:
        kind = (
            "is self-signed" if number == _SELF_SIGNED[0] else "ends in an unknown self-signed root"
        )
        return "untrusted_chain", f"{subject} {kind} (OpenSSL {number}: {error.verify_message})"
    openssl = f"(OpenSSL {number}: {error.verify_message})"
    if number in _UNKNOWN_ISSUER and len(chain.ders) == 1 and facts and not facts.self_signed:
        why = "either the intermediate is missing or the authority is unknown here"
        return "incomplete_chain", f"only {subject} was sent, issued{issuer}; {why} {openssl}"
    return "untrusted_chain", f"{subject}, issued{issuer}, leads to no trusted authority {openssl}"


def _until(instant: datetime | None) -> str:
    return f"was valid until {instant:%Y-%m-%d %H:%M} UTC" if instant else "shows no date"


def why_broken(error: ssl.SSLError) -> tuple[str, str]:
    """The code and the words of an error that is not about trust."""
    reason = (error.reason or "").upper()
    if "ALERT_PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return "version_mismatch", "the two sides share no TLS version (1.2 and 1.3 are offered)"
    if any(word in reason for word in _VERSION_WORDS):
        return "handshake_failed", "the answer is not TLS"
    if "CERTIFICATE_REQUIRED" in reason or "BAD_CERTIFICATE" in reason:
        return "handshake_failed", "the server asks for a client certificate"
    words = reason.replace("_", " ").lower() or str(error.args[-1] if error.args else error)
    return "handshake_failed", words[:200]

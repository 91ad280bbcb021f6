"""How the network floor says what went wrong: `NetError`, which carries the `Failure` that is recorded.

Layers, codes and the public reason follow one table, so that every kind speaks the same words.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lifesign.core.model import Failure, Reason

if TYPE_CHECKING:
    from lifesign.net.chain import PeerChain

_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "dns/nxdomain": "Check the spelling, the zone and whether the domain has lapsed.",
        "dns/servfail": "Check the zone's name servers and its DNSSEC signatures.",
        "dns/refused": "Ask a name server that serves this client.",
        "dns/no_address": "Add the missing record (A or AAAA for an address), or watch another name.",
        "dns/dns_timeout": "Check that the name servers are reachable from here over UDP and TCP port 53.",
        "dns/exists": "Remove the record, or expect NOERROR.",
        "dns/bad_answer": "Check what answers on the name server's port.",
        "tcp/refused": "Check that the service runs, listens on this port and address, and is let through.",
        "tcp/reset": "Check the service's log and any firewall or proxy in between.",
        "tcp/unreachable": "Check the route, the host's network and that its address family is in use here.",
        "tcp/connect_timeout": "Check that the host is up and that no firewall drops the packets.",
        "tcp/answer_timeout": "Check that the right service listens on this port and what it waits for.",
        "tcp/unexpected_answer": "Check that the right service listens on this port.",
        "tls/cert_expired": "Renew the certificate and reload the service.",
        "tls/cert_not_yet_valid": "Check the clocks of both machines and the certificate's start date.",
        "tls/host_mismatch": "Use a certificate that names this host, or set the server name it is meant for.",
        "tls/untrusted_chain": "Use a certificate of a trusted authority, or give this monitor the authority's certificate.",
        "tls/incomplete_chain": "Let the server send the intermediate certificates too; if its authority is private, give this monitor the authority's certificate.",
        "tls/handshake_failed": "Check that the port speaks TLS and which certificates, ciphers and protocols it asks for.",
        "tls/version_mismatch": "Let the server offer TLS 1.2 or 1.3.",
        "tls/handshake_timeout": "Check that the port speaks TLS and that the server is not overloaded.",
        "http/first_byte_timeout": "Check what the service waits for (database, upstream, worker pool) or allow more time.",
        "http/read_timeout": "Check why the body comes so slowly, or allow more time.",
        "http/bad_response": "Check that the port speaks HTTP and that no proxy spoils the answer.",
        "http/header_too_large": "Check what fills the response headers; 64 kB in 100 lines is the limit.",
        "http/body_too_large": "Let the server send less at once (a smaller page, a list in pages), or watch a smaller address; a compressed body may grow a hundredfold at most.",
        "http/closed_early": "Check the service's log for a crash or a worker limit; a port that wants TLS closes plain connections too.",
        "http/too_many_redirects": "Break the redirect loop, or raise the number of redirects to follow.",
        "http/bad_redirect": "Correct the Location header.",
        "egress/blocked_address": "Watch an allowed address, or let the operator add it to the allow list of the egress fence.",
        "egress/blocked_name": "Watch an allowed name, or let the operator add its address to the allow list of the egress fence.",
    }
)


_WRONG_ANSWERS = frozenset({"unexpected_answer", "bad_answer", "exists"})


def net_failure(layer: str, code: str, message: str, *, evidence: str = "") -> Failure:
    """The `Failure` of one layer and code, with its remedy and its public reason."""
    remedy = _REMEDIES.get(f"{layer}/{code}", "")
    return Failure(layer, code, message, _reason(layer, code), remedy, evidence)


def _reason(layer: str, code: str) -> Reason:
    if code.endswith("timeout"):
        return Reason.TIMEOUT
    if layer == "egress":
        return Reason.BLOCKED
    if layer in {"dns", "tcp", "tls"} and code not in _WRONG_ANSWERS:
        return Reason.CONNECTION_REFUSED
    return Reason.PROTOCOL_ERROR


class NetError(Exception):
    """An expected failure of the watched world; `failure` is recorded, `chain` is the certificates seen."""

    def __init__(self, failure: Failure, *, chain: "PeerChain | None" = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.chain = chain


def net_error(layer: str, code: str, message: str, *, evidence: str = "") -> NetError:
    """`NetError` of `net_failure`."""
    return NetError(net_failure(layer, code, message, evidence=evidence))


def span(seconds: float) -> str:
    """A duration for a message: `0.4 ms`, `340 ms`, `2.5 s`."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"

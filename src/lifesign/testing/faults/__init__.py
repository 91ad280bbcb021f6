"""Every switch of the server by its code, and why some codes have none."""

from collections.abc import Mapping
from types import MappingProxyType

from lifesign.testing.faults.access import ACCESS
from lifesign.testing.faults.calls import CALLS, PRIMITIVES, STREAMS
from lifesign.testing.faults.envelope import ENVELOPE, HANDSHAKE
from lifesign.testing.faults.fault import Fault, Where
from lifesign.testing.faults.health import HEALTH
from lifesign.testing.faults.hostile import HOSTILE
from lifesign.testing.faults.lists import LISTS
from lifesign.testing.faults.stdio import STDIO
from lifesign.testing.faults.transfer import TRANSFER

__all__ = ["ELSEWHERE", "FAULTS", "Fault", "Where"]

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        found.code: found
        for found in (
            *TRANSFER, *ACCESS, *ENVELOPE, *HANDSHAKE, *LISTS,
            *CALLS, *PRIMITIVES, *STREAMS, *HEALTH, *STDIO, *HOSTILE,
        )
    }
)  # fmt: skip
"""The switches by layer and code, for example `tools_list/hang`."""

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "dns/*": "Names are resolved before a server is asked; point the client at a name server of your own.",
        "tcp/unreachable": "The network refuses the way; no server is involved.",
        "tcp/connect_timeout": "The packets must be dropped on the way; a listening server always accepts.",
        "tls/cert_*": "The certificate is yours: give the server a `tls` context with such a certificate.",
        "tls/host_mismatch": "Give the server a `tls` context whose certificate names another host.",
        "tls/untrusted_chain": "Give the server a `tls` context whose authority the client does not trust.",
        "tls/incomplete_chain": "Give the server a `tls` context that sends no intermediate certificate.",
        "tls/version_mismatch": "Give the server a `tls` context with another `minimum_version`.",
        "credential/expired": "The credential says itself when it ends; give the client an old one.",
        "stdio/not_allowed": "The client's own rule; it starts no program at all.",
        "stdio/spawn_failed": "There is no program to be at fault; give the client a command that does not exist.",
        "egress/*": "The client's own fence; it never connects.",
    }
)
"""Why a code (or each code of a layer) has no switch, and how it is brought about instead."""

"""Our own resolver: every look-up has a deadline and its own socket, so dead name servers block nobody.

`getaddrinfo` would run in a small thread pool that four dead name servers fill. Messages are dnspython's; the
transport is ours. A look-up asks each name server in turn, twice round, with growing patience.
"""

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence

import dns.exception
import dns.message
import dns.rcode

from lifesign.net.failures import NetError, net_error, span
from lifesign.net.hosts import SystemNames, read_system_names
from lifesign.net.nameserver import ask

ATTEMPTS = 2
FIRST_PATIENCE_S = 1.0
_LOCALHOST = ("127.0.0.1", "::1")


class Resolver:
    """Names to addresses. Nothing is cached: a cache would hide an outage of the name servers."""

    def __init__(self, names: SystemNames | None = None) -> None:
        self._names = names or read_system_names()

    @property
    def nameservers(self) -> tuple[tuple[str, int], ...]:
        """The name servers that are asked, in order."""
        return self._names.nameservers

    def known(self, host: str) -> tuple[str, ...] | None:
        """The addresses of what needs no query: a literal, `localhost`, a name of the hosts file."""
        if host[:1].isdigit() or ":" in host:
            try:
                ipaddress.ip_address(host.partition("%")[0])
            except ValueError:
                return self._names.hosts.get(host)
            return (host,)
        name = host.removesuffix(".")
        if name == "localhost" or name.endswith(".localhost"):
            return _LOCALHOST
        return self._names.hosts.get(name)

    async def resolve(self, host: str, *, deadline: float) -> tuple[str, ...]:
        """All addresses of a name, IPv6 and IPv4 in turn. Raises `NetError` of layer dns."""
        known = self.known(host)
        if known is not None:
            return known
        missing = False
        for name in self._candidates(host):
            found, exists = await self._addresses(name, deadline=deadline)
            if found:
                return found
            missing = missing or not exists
        if missing:
            raise net_error("dns", "nxdomain", f"Looking up {host}: the name does not exist.")
        raise net_error(
            "dns", "no_address", f"Looking up {host}: the name exists but has no address."
        )

    def _candidates(self, host: str) -> Iterable[str]:
        """resolv.conf(5): a name with fewer dots than `ndots` is tried under the search domains first."""
        if host.endswith(".") or not self._names.search:
            return (host.removesuffix("."),)
        searched = [f"{host}.{domain}" for domain in self._names.search]
        return (host, *searched) if host.count(".") >= self._names.ndots else (*searched, host)

    async def _addresses(self, name: str, *, deadline: float) -> tuple[tuple[str, ...], bool]:
        async with asyncio.TaskGroup() as group:
            six = group.create_task(self._quietly(name, "AAAA", deadline=deadline))
            four = group.create_task(self._quietly(name, "A", deadline=deadline))
        results = (six.result(), four.result())
        failures = [result for result in results if isinstance(result, NetError)]
        answers = [result for result in results if isinstance(result, dns.message.Message)]
        found = [_records(answer) for answer in answers]
        merged = _in_turn(*found) if found else ()
        if not merged and failures:
            raise failures[0]
        exists = all(answer.rcode() != dns.rcode.NXDOMAIN for answer in answers)
        return merged, exists

    async def _quietly(
        self, name: str, kind: str, *, deadline: float
    ) -> dns.message.Message | NetError:
        """One of two questions must not cancel the other when it fails."""
        try:
            return await self.query(name, kind, deadline=deadline)
        except NetError as error:
            return error

    async def query(
        self,
        name: str,
        kind: str,
        *,
        deadline: float,
        nameservers: Sequence[tuple[str, int]] = (),
    ) -> dns.message.Message:
        """Ask for records of one type; NXDOMAIN is an answer. Raises `NetError` of layer dns."""
        loop = asyncio.get_running_loop()
        servers = nameservers or self._names.nameservers
        started = loop.time()
        question = _question(name, kind)
        refusal: str | None = None
        patience = FIRST_PATIENCE_S
        for _ in range(ATTEMPTS):
            for server in servers:
                limit = min(deadline, loop.time() + patience)
                answer = await ask(question, server, deadline=limit)
                if isinstance(answer, dns.message.Message):
                    if answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
                        return answer
                    refusal = dns.rcode.to_text(answer.rcode())
                if loop.time() >= deadline:
                    break
            patience *= 3
        asked = f"Looking up {name} {kind} at {', '.join(_shown(s) for s in servers)}"
        if refusal is not None:
            code = "servfail" if refusal == "SERVFAIL" else "refused"
            raise net_error("dns", code, f"{asked}: the name server answered {refusal}.")
        took = span(loop.time() - started)
        raise net_error("dns", "dns_timeout", f"{asked}: no answer within {took}.")


def _question(name: str, kind: str) -> dns.message.QueryMessage:
    try:
        return dns.message.make_query(name, kind, use_edns=0, payload=1232)
    except (dns.exception.DNSException, UnicodeError, ValueError):
        raise net_error("dns", "nxdomain", f"{name[:100]!r} cannot be a domain name.") from None


def _records(answer: dns.message.Message) -> list[str]:
    """The addresses at the end of the answer's CNAME chain."""
    if not isinstance(answer, dns.message.QueryMessage):
        return []
    try:
        chain = answer.resolve_chaining()
    except dns.exception.DNSException:
        return []
    return [item.address for item in chain.answer] if chain.answer is not None else []


def _in_turn(*families: list[str]) -> tuple[str, ...]:
    """One of each family in turn (RFC 8305 §4), IPv6 first."""
    longest = max(map(len, families))
    return tuple(f[i] for i in range(longest) for f in families if i < len(f))


def _shown(server: tuple[str, int]) -> str:
    host = f"[{server[0]}]" if ":" in server[0] else server[0]
    return host if server[1] == 53 else f"{host}:{server[1]}"

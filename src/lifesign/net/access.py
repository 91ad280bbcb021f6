"""`Net`: all that a probe or channel needs to reach out, built once by the composition root."""

import asyncio
import errno
import ssl
import time
from collections.abc import Iterable, MutableMapping
from typing import Self

from lifesign.net.chain import PeerChain, peer_chain
from lifesign.net.failures import NetError, net_error, span
from lifesign.net.fence import Fence
from lifesign.net.hosts import SystemNames, read_system_names
from lifesign.net.race import race
from lifesign.net.resolve import Resolver
from lifesign.net.stream import Stream
from lifesign.net.tls import TLSOptions, TrustStore, tls_error

Phases = MutableMapping[str, float]


class Net:
    """The egress fence, the resolver and the shared TLS contexts."""

    def __init__(self, fence: Fence, resolver: Resolver, trust: TrustStore) -> None:
        self.fence = fence
        self.resolver = resolver
        self.trust = trust

    @classmethod
    def open(
        cls,
        *,
        mode: str = "self-hosted",
        nameservers: Iterable[tuple[str, int]] | None = None,
        extra_ca_pem: str | None = None,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
    ) -> Self:
        """Build one from plain settings; `mode` is `self-hosted` or `public`. There is nothing to close."""
        names = read_system_names()
        if nameservers is not None:
            names = SystemNames(tuple(nameservers), names.search, names.ndots, names.hosts)
        fence = Fence(public=mode == "public", allow=allow, deny=deny)
        return cls(fence, Resolver(names), TrustStore(extra_ca_pem=extra_ca_pem))

    async def dial(
        self, host: str, port: int, *, tls: TLSOptions | None, deadline: float, phases: Phases
    ) -> Stream:
        """Resolve, fence, connect and, with `tls`, shake hands. Raises `NetError`.

        Adds the milliseconds of `dns`, `tcp` and `tls` to `phases`, also of the one that fails. `deadline`
        is an instant of the loop clock; it goes on to limit the stream that is returned.
        """
        addresses = await self.find(host, deadline=deadline, phases=phases)
        stream = await self._connect(host, port, addresses, deadline=deadline, phases=phases)
        try:
            self._check_peer(stream, host)
            stream.limit(deadline)
            if tls is not None:
                await self._secure(stream, host, port, tls=tls, phases=phases)
        except BaseException:
            stream.close()
            raise
        return stream

    async def find(self, host: str, *, deadline: float, phases: Phases) -> list[str]:
        """The addresses of a host that the fence admits; adds `dns` to `phases`. Raises `NetError`."""
        self.fence.check_name(host)
        started = time.perf_counter()
        try:
            known = self.resolver.known(host)
            addresses = known or await self.resolver.resolve(host, deadline=deadline)
        finally:
            _add(phases, "dns", started)
        return self.fence.admit(host, addresses)

    def peer_chain(self, stream: Stream) -> PeerChain | None:
        """The certificates of a stream whose handshake succeeded."""
        if stream.tls is None:
            return None
        return peer_chain(stream.tls, verified=stream.tls.context.verify_mode != ssl.CERT_NONE)

    def new_stream(self, loop: asyncio.AbstractEventLoop) -> Stream:
        """The stream of a connection that is about to be made; whoever measures makes one that counts."""
        return Stream(loop)

    async def _connect(
        self, host: str, port: int, addresses: list[str], *, deadline: float, phases: Phases
    ) -> Stream:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()

        async def attempt(address: str) -> Stream:
            stream = self.new_stream(loop)
            stream.address = address
            await loop.create_connection(lambda: stream, address, port)
            return stream

        try:
            async with asyncio.timeout_at(deadline):
                if len(addresses) == 1:
                    return await attempt(addresses[0])
                return await race(attempt, addresses)
        except OSError as error:
            place = _place(host, port, addresses)
            raise _connect_error(error, place, time.perf_counter() - started) from None
        finally:
            _add(phases, "tcp", started)

    def _check_peer(self, stream: Stream, host: str) -> None:
        """Judge the address that the kernel says it is connected to, whatever was asked of it."""
        peer = stream.transport.get_extra_info("peername") if stream.transport else None
        if peer is not None:
            stream.address = peer[0]
            self.fence.admit(host, (peer[0],))

    async def _secure(
        self, stream: Stream, host: str, port: int, *, tls: TLSOptions, phases: Phases
    ) -> None:
        target = f"{host}:{port}"
        context = self.trust.context(tls)
        started = time.perf_counter()
        try:
            await stream.start_tls(context, (tls.server_name or host).removesuffix("."))
        except ssl.SSLError as error:
            chain = _failed_chain(stream, error)
            raise tls_error(
                error,
                chain=chain,
                reader=self.trust.chains,
                target=target,
                elapsed_s=time.perf_counter() - started,
            ) from None
        except TimeoutError:
            took = span(time.perf_counter() - started)
            raise net_error(
                "tls", "handshake_timeout", f"TLS handshake with {target}: no end within {took}."
            ) from None
        except OSError:
            took = span(time.perf_counter() - started)
            raise net_error(
                "tls",
                "handshake_failed",
                f"{target} closed the connection {took} into the handshake.",
            ) from None
        finally:
            _add(phases, "tls", started)


def _failed_chain(stream: Stream, error: ssl.SSLError) -> PeerChain:
    if stream.tls is None:
        return PeerChain((), verified=False)
    return peer_chain(stream.tls, verified=False, error=error)


def _add(phases: Phases, name: str, started: float) -> None:
    phases[name] = phases.get(name, 0.0) + (time.perf_counter() - started) * 1000


def _place(host: str, port: int, addresses: list[str]) -> str:
    shown = f"[{host}]" if ":" in host else host
    where = "" if addresses == [host] else f" ({', '.join(addresses[:4])})"
    return f"{shown}:{port}{where}"


def _connect_error(error: OSError, place: str, elapsed_s: float) -> NetError:
    took = span(elapsed_s)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return net_error(
            "tcp", "connect_timeout", f"Connecting to {place}: no answer within {took}."
        )
    if isinstance(error, ConnectionRefusedError):
        return net_error("tcp", "refused", f"Connecting to {place}: refused after {took}.")
    if isinstance(error, ConnectionError):
        return net_error("tcp", "reset", f"Connecting to {place}: reset after {took}.")
    words = error.strerror or type(error).__name__
    return net_error("tcp", "unreachable", f"Connecting to {place}: {words} after {took}.")

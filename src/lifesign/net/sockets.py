"""Plain connected sockets behind the fence, for protocols whose library takes a socket (SMTP)."""

import asyncio
import socket

from lifesign.net.access import Net
from lifesign.net.failures import NetError, net_error


async def connected_socket(net: Net, host: str, port: int, *, deadline: float) -> socket.socket:
    """A connected, non-blocking TCP socket to an address that the fence admits. Raises `NetError`.

    The addresses are tried in turn, each with its share of the time; the caller closes the socket.
    """
    addresses = await net.find(host, deadline=deadline, phases={})
    loop = asyncio.get_running_loop()
    failure: OSError = TimeoutError("deadline")
    for place, address in enumerate(addresses):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            async with asyncio.timeout_at(
                share_of_time(deadline, loop.time(), len(addresses) - place)
            ):
                await loop.sock_connect(sock, (address, port))
            net.fence.admit(host, (sock.getpeername()[0],))
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise connect_error(failure, f"{host}:{port}")


def share_of_time(deadline: float, now: float, waiting: int) -> float:
    """When one of several addresses has had its part of the time that is left."""
    return now + max(0.0, deadline - now) / max(1, waiting)


def connect_error(error: OSError, place: str) -> NetError:
    """What a connection that did not come about means."""
    if isinstance(error, TimeoutError):
        return net_error("tcp", "connect_timeout", f"Connecting to {place}: no answer in time.")
    if isinstance(error, ConnectionRefusedError):
        return net_error("tcp", "refused", f"Connecting to {place}: refused.")
    words = error.strerror or type(error).__name__
    return net_error("tcp", "unreachable", f"Connecting to {place}: {words}.")

"""House rules of every test: sockets stay on this machine, and missing outside parts are named.

The fence is an audit hook, so it sees every connection that Python's own sockets make, whoever asks.
"""

import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
import structlog

import outside


class OutsideNetworkError(RuntimeError):
    """A test tried to leave this machine."""


def _is_inside(host: object) -> bool:
    if not isinstance(host, str) or host in {"", "localhost"}:
        return True
    try:
        address = ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard(event: str, args: tuple[object, ...]) -> None:
    """Refuse `socket.connect` and `socket.sendto` to anywhere but loopback; unix sockets pass."""
    if event not in {"socket.connect", "socket.sendto"}:
        return
    sock, address = args[0], args[1]
    if not isinstance(sock, socket.socket) or not isinstance(address, tuple):
        return
    if sock.family in {socket.AF_INET, socket.AF_INET6} and not _is_inside(address[0]):
        raise OutsideNetworkError(
            f"This test opened a connection to {address[0]}, and tests stay on this machine. "
            "Start a local server for it (tests/servers has some)."
        )


sys.addaudithook(_guard)


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = tuple(name for mark in item.iter_markers("needs") for name in mark.args)
    absent = outside.missing(names)
    if absent and outside.is_ci():
        pytest.fail("; ".join(absent), pytrace=False)
    if absent:
        pytest.skip("; ".join(absent))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the end-to-end tests on one worker: they share the machine's ports, cores and one browser."""
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.fixture(autouse=True)
def _logs_as_at_first() -> Iterator[None]:
    """What a test (or a command that it ran) set for the logs ends with it."""
    yield
    structlog.reset_defaults()

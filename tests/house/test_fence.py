"""Tests cannot leave this machine."""

import socket

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "169.254.169.254"])
def test_a_connection_outside_is_refused_with_a_reason(address: str) -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match="stay on this machine"):
        sock.connect((address, 80))


def test_a_datagram_outside_is_refused() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        pytest.raises(RuntimeError, match="stay on this machine"),
    ):
        sock.sendto(b"x", ("192.0.2.1", 53))


def test_loopback_is_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()

"""The client connects to what the fence admits, once looked up, under the name of the URL."""

import asyncio

import httpx2
import pytest

from channels.receivers import Receiver, http_receiver
from lifesign.net import Net
from lifesign.net.client import Answer, exchange, fenced_client
from lifesign.net.failures import NetError
from lifesign.net.fence import Fence
from lifesign.net.hosts import SystemNames
from lifesign.net.resolve import Resolver
from lifesign.net.sockets import connected_socket
from lifesign.net.tls import TrustStore


def knowing(*addresses: str, public: bool = False) -> Net:
    """A net in which `hook.test`, which no other resolver knows, has these addresses."""
    names = SystemNames((("127.0.0.1", 9),), (), 1, {"hook.test": addresses})
    return Net(Fence(public=public), Resolver(names), TrustStore())


def soon() -> float:
    return asyncio.get_running_loop().time() + 5


async def ask(net: Net, receiver: Receiver, **changes: object) -> Answer:
    url = f"http://hook.test:{receiver.port}/a?b=c"
    given = {"headers": {}, "content": b"x", "deadline": soon()} | changes
    return await exchange(net, "POST", url, **given)


async def test_names_are_looked_up_by_our_resolver_and_keep_their_host_header() -> None:
    async with http_receiver() as receiver:
        answer = await ask(knowing("127.0.0.1"), receiver)

    (heard,) = receiver.heard
    assert answer.is_success
    assert heard.headers["host"] == f"hook.test:{receiver.port}"
    assert heard.headers["accept-encoding"] == "identity"
    assert answer.url == f"http://hook.test:{receiver.port}/a?…"


async def test_a_denied_address_among_others_is_not_dialled() -> None:
    async with http_receiver() as receiver:
        answer = await ask(knowing("169.254.169.254", "127.0.0.1"), receiver)

    assert answer.is_success


@pytest.mark.parametrize("public", [False, True])
async def test_a_name_that_means_a_denied_address_is_refused(public: bool) -> None:
    async with http_receiver() as receiver:
        with pytest.raises(NetError) as caught:
            await ask(knowing("169.254.169.254", public=public), receiver)

    assert caught.value.failure.layer == "egress"


async def test_in_public_mode_one_denied_address_denies_the_name() -> None:
    async with http_receiver() as receiver:
        with pytest.raises(NetError) as caught:
            await ask(knowing("127.0.0.1", "192.0.2.1", public=True), receiver)

    assert caught.value.failure.code == "blocked_address"
    assert receiver.heard == []


async def test_an_address_that_refuses_gives_way_to_the_next() -> None:
    async with http_receiver() as receiver:
        answer = await ask(knowing("127.0.0.2", "127.0.0.1"), receiver)

    assert answer.is_success


async def test_a_body_is_read_no_further_than_the_cap() -> None:
    async with http_receiver(body=b"x" * 5000) as receiver:
        answer = await ask(knowing("127.0.0.1"), receiver, body_cap=1000)

    assert (len(answer.body), answer.truncated) == (1000, True)


async def test_a_compressed_body_is_not_unpacked() -> None:
    packed = {"body": b"\x1f\x8b not really", "headers": {"content-encoding": "gzip"}}
    async with http_receiver(**packed) as receiver:
        answer = await ask(knowing("127.0.0.1"), receiver)

    assert answer.body == b"\x1f\x8b not really"


async def test_the_client_follows_no_redirect_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_receiver() as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with (
            http_receiver(status=302, headers={"location": "http://127.0.0.1/"}) as receiver,
            fenced_client(knowing("127.0.0.1")) as client,
        ):
            response = await client.get(f"http://hook.test:{receiver.port}/")

    assert response.status_code == 302
    assert proxy.heard == []


async def test_a_connection_that_breaks_is_an_http_failure() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        receiver = Receiver(port=server.sockets[0].getsockname()[1])
        with pytest.raises(NetError) as caught:
            await ask(knowing("127.0.0.1"), receiver)

    assert (caught.value.failure.layer, caught.value.failure.code) == ("http", "closed_early")


async def test_sockets_are_fenced_too() -> None:
    async with http_receiver() as receiver:
        sock = await connected_socket(
            knowing("127.0.0.2", "127.0.0.1"), "hook.test", receiver.port, deadline=soon()
        )
        with sock:
            assert sock.getpeername() == ("127.0.0.1", receiver.port)

        with pytest.raises(NetError) as caught:
            await connected_socket(
                knowing("169.254.169.254"), "hook.test", receiver.port, deadline=soon()
            )

    assert caught.value.failure.layer == "egress"


@pytest.mark.parametrize(
    ("status", "permanent"), [(200, False), (301, True), (404, True), (429, False), (500, False)]
)
def test_which_answers_are_final(status: int, permanent: bool) -> None:
    answer = Answer("http://h/", status, httpx2.Headers(), b"", truncated=False, duration_s=0.1)

    assert answer.is_permanent == permanent

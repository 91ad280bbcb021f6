"""The HTTP/1.1 codec as a pure thing: bytes in, a response or a failure out, never an exception."""

import asyncio
import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.net.http import Request, parse_url
from lifesign.net.http1 import HTTP1, encode_request
from lifesign.net.response import Incoming
from lifesign.net.stream import Stream

URL = parse_url("http://a.example/x?y=z")
WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "gzip": (packed := gzip.compress(b"hello"))
    and b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    + packed,
}


def receive(*pieces: bytes) -> Incoming:
    loop = asyncio.new_event_loop()
    try:
        codec = HTTP1(Stream(loop))
        incoming = Incoming("GET", "GET x", max_body=1000, streaming=False, wake=lambda: None)
        codec._incoming = incoming
        for piece in pieces:
            codec.feed(piece)
        codec.eof(None)
    finally:
        loop.close()
    return incoming


@pytest.mark.parametrize("name", WHOLE)
@given(cuts=st.lists(st.integers(1, 120), max_size=12))
def test_where_the_network_cuts_does_not_matter(name: str, cuts: list[int]) -> None:
    data = WHOLE[name]
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]

    incoming = receive(*(data[a:b] for a, b in itertools.pairwise(edges)))

    assert incoming.failure is None
    assert incoming.complete
    assert (incoming.status, b"".join(incoming.pieces)) == (200, b"hello")


@given(
    st.lists(st.binary(max_size=200), max_size=5), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n"])
)
def test_whatever_comes_is_a_response_or_a_failure(pieces: list[bytes], start: bytes) -> None:
    incoming = receive(start, *pieces)

    assert incoming.body_bytes <= 1000


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_request_is_one_request(name: str, value: str) -> None:
    try:
        encoded = encode_request(Request("GET", URL, ((name, value),)))
    except ValueError:
        return

    head = encoded.removesuffix(b"\r\n\r\n")
    assert b"\r\n\r\n" not in head
    assert len(head.split(b"\r\n")) == (3 if name.lower() in {"host", "user-agent"} else 4)


def test_what_is_missing_is_added() -> None:
    encoded = encode_request(Request("POST", URL, (("User-Agent", "me"),), b"12"))

    assert encoded == (
        b"POST /x?y=z HTTP/1.1\r\nHost: a.example\r\nUser-Agent: me\r\nContent-Length: 2\r\n\r\n12"
    )

"""One handshake tells the verdict and the chain, whatever is wrong with the certificate."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from lifesign.core.model import Reason
from lifesign.net import Net, NetError
from lifesign.net.facts import tls_facts
from lifesign.net.http import HTTPConnection, Request, parse_url
from lifesign.net.tls import TLSOptions, TrustError, TrustStore, check_authority
from net.rawserver import (
    RawServers,
    blocking_tls_server,
    pem,
    read_request,
    reply,
    self_signed_context,
    server_context,
)

GENEROUS_S = 10.0
NOW = datetime.now(UTC)
AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)


async def dial(net: Net, port: int, options: TLSOptions, *, host="localhost", limit_s=GENEROUS_S):
    deadline = asyncio.get_running_loop().time() + limit_s
    phases: dict[str, float] = {}
    stream = await net.dial(host, port, tls=options, deadline=deadline, phases=phases)
    try:
        return net.peer_chain(stream), phases
    finally:
        stream.close()


async def refused(net: Net, port: int, options: TLSOptions, *, limit_s=GENEROUS_S) -> NetError:
    with pytest.raises(NetError) as caught:
        await dial(net, port, options, limit_s=limit_s)
    assert caught.value.failure.layer == "tls"
    assert caught.value.failure.remedy
    return caught.value


def trusting(authority: trustme.CA = AUTHORITY) -> TLSOptions:
    return TLSOptions(ca_pem=pem(authority))


async def test_a_good_chain(net: Net, servers: RawServers) -> None:
    leaf = AUTHORITY.issue_cert("localhost", common_name="the leaf", not_after=NOW + timedelta(30))
    port = await servers.answer(reply(), context=server_context(leaf))

    chain, phases = await dial(net, port, trusting())
    facts = tls_facts(chain, net.trust.chains, now=NOW)

    assert list(phases) == ["dns", "tcp", "tls"]
    assert (facts["tls.subject"], facts["tls.sans"]) == ("the leaf", ["localhost"])
    assert facts["tls.days_left"] == pytest.approx(30, abs=0.1)
    assert facts["tls.verified"] is True
    assert facts["tls.version"] == "TLSv1.3"
    assert facts["tls.key"] == "EC secp256r1"
    assert facts["tls.chain_length"] == 1


async def test_an_expired_certificate_still_shows_its_dates(net: Net, servers: RawServers) -> None:
    leaf = AUTHORITY.issue_cert(
        "localhost", not_before=NOW - timedelta(20), not_after=NOW - timedelta(5)
    )
    port = await servers.answer(reply(), context=server_context(leaf))

    error = await refused(net, port, trusting())
    facts = tls_facts(error.chain, net.trust.chains, now=NOW)

    assert error.failure.code == "cert_expired"
    assert error.failure.reason is Reason.CONNECTION_REFUSED
    assert facts["tls.days_left"] == pytest.approx(-5, abs=0.1)
    assert (facts["tls.verify_code"], facts["tls.verified"]) == (10, False)


async def test_a_certificate_of_tomorrow(net: Net, servers: RawServers) -> None:
    leaf = AUTHORITY.issue_cert("localhost", not_before=NOW + timedelta(1))
    port = await servers.answer(reply(), context=server_context(leaf))

    assert (await refused(net, port, trusting())).failure.code == "cert_not_yet_valid"


async def test_a_certificate_of_another_host(net: Net, servers: RawServers) -> None:
    leaf = AUTHORITY.issue_cert("other.example")
    port = await servers.answer(reply(), context=server_context(leaf))

    error = await refused(net, port, trusting())
    chain, _ = await dial(net, port, TLSOptions("other.example", ca_pem=pem(AUTHORITY)))

    assert error.failure.code == "host_mismatch"
    assert "other.example" in error.failure.message
    assert chain is not None


async def test_a_self_signed_certificate(net: Net, servers: RawServers, tmp_path) -> None:
    port = await servers.answer(reply(), context=self_signed_context(tmp_path, "localhost"))

    error = await refused(net, port, trusting())

    assert error.failure.code == "untrusted_chain"
    assert "self-signed" in error.failure.message


async def test_a_missing_intermediate(net: Net, servers: RawServers) -> None:
    child = AUTHORITY.create_child_ca()
    leaf = child.issue_cert("localhost")
    whole = await servers.answer(reply(), context=server_context(leaf))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    cut = await servers.answer(reply(), context=context)

    chain, _ = await dial(net, whole, trusting())
    error = await refused(net, cut, trusting())

    assert chain is not None
    assert len(chain.ders) == 2
    assert error.failure.code == "incomplete_chain"


async def test_a_whole_chain_of_a_stranger(net: Net, servers: RawServers) -> None:
    stranger = trustme.CA().create_child_ca()
    port = await servers.answer(reply(), context=server_context(stranger.issue_cert("localhost")))

    assert (await refused(net, port, trusting())).failure.code == "untrusted_chain"


async def test_without_verification_anything_goes_and_is_told(
    net: Net, servers: RawServers
) -> None:
    leaf = AUTHORITY.issue_cert("other.example")
    port = await servers.answer(reply(), context=server_context(leaf))

    chain, _ = await dial(net, port, TLSOptions(verify=False))
    facts = tls_facts(chain, net.trust.chains, now=NOW)

    assert (facts["tls.verified"], facts["tls.sans"]) == (False, ["other.example"])


async def test_a_port_that_does_not_speak_tls(net: Net, servers: RawServers) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await _reader.read()

    error = await refused(net, await servers.start(greet), trusting())

    assert error.failure.code == "handshake_failed"


async def test_a_server_that_hangs_up(net: Net, servers: RawServers) -> None:
    async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    error = await refused(net, await servers.start(hang_up), trusting())

    assert error.failure.code == "handshake_failed"


async def test_silence_instead_of_a_handshake(net: Net, servers: RawServers) -> None:
    async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    error = await refused(net, await servers.start(silence), trusting(), limit_s=0.15)

    assert error.failure.code == "handshake_timeout"
    assert error.failure.reason is Reason.TIMEOUT


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
async def test_a_server_that_is_too_old(net: Net) -> None:
    context = server_context(AUTHORITY.issue_cert("localhost"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    async with blocking_tls_server(context, reply()) as port:
        error = await refused(net, port, trusting())

    assert error.failure.code == "version_mismatch"


async def test_a_server_that_wants_a_client_certificate(net: Net) -> None:
    context = server_context(AUTHORITY.issue_cert("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(context)
    client = AUTHORITY.issue_cert("client.example")
    options = TLSOptions(
        ca_pem=pem(AUTHORITY),
        client_cert_pem=client.cert_chain_pems[0].bytes().decode(),
        client_key_pem=client.private_key_pem.bytes().decode(),
    )
    deadline = asyncio.get_running_loop().time() + GENEROUS_S

    async def get(port: int, tls: TLSOptions) -> bytes:
        url = parse_url(f"https://localhost:{port}/")
        async with await HTTPConnection.connect(
            net, url, deadline=deadline, phases={}, tls=tls
        ) as link:
            return (await link.exchange(Request("GET", url), deadline=deadline, phases={})).body

    async with blocking_tls_server(context, reply(b"in")) as port:
        assert await get(port, options) == b"in"
        with pytest.raises(NetError) as caught:
            await get(port, trusting())
    assert (caught.value.failure.layer, caught.value.failure.code) == ("tls", "handshake_failed")
    assert "client certificate" in caught.value.failure.message


async def test_tls_and_then_silence(net: Net, servers: RawServers) -> None:
    context = server_context(AUTHORITY.issue_cert("localhost"))
    url = parse_url(f"https://localhost:{await servers.say(b'', end='hold', context=context)}/")
    deadline = asyncio.get_running_loop().time() + 0.4

    with pytest.raises(NetError) as caught:
        async with await HTTPConnection.connect(
            net, url, deadline=deadline, phases={}, tls=trusting()
        ) as link:
            await link.exchange(Request("GET", url), deadline=deadline, phases={})

    assert caught.value.failure.code == "first_byte_timeout"
    assert caught.value.chain is not None


async def test_large_bodies_pass_both_ways_over_tls(net: Net, servers: RawServers) -> None:
    body = bytes(range(256)) * 2000

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        writer.write(reply(request.split(b"\r\n\r\n", 1)[1]))
        await reader.read()

    context = server_context(AUTHORITY.issue_cert("localhost"))
    url = parse_url(f"https://localhost:{await servers.start(echo, context=context)}/")
    deadline = asyncio.get_running_loop().time() + GENEROUS_S

    async with await HTTPConnection.connect(
        net, url, deadline=deadline, phases={}, tls=trusting()
    ) as link:
        response = await link.exchange(Request("POST", url, (), body), deadline=deadline, phases={})

    assert response.body == body


def test_contexts_are_shared_by_trust_policy() -> None:
    trust = TrustStore()

    assert trust.context(TLSOptions("a.example")) is trust.context(TLSOptions("b.example"))
    assert trust.context(TLSOptions()) is not trust.context(TLSOptions(verify=False))


def test_an_unreadable_authority_is_told() -> None:
    with pytest.raises(TrustError, match="PEM"):
        check_authority("nonsense")
    assert check_authority(pem(AUTHORITY))

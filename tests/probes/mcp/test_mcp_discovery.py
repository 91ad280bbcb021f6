"""The way from a refusal to the token endpoint: what real clients read, and each way in which it can be broken."""

import asyncio
import json
import ssl

import pytest
import trustme

from lifesign.core.model import Level
from lifesign.net import Net
from lifesign.net.http import parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.discovery import Discovery, discover
from lifesign.probes.mcp.client.aside import MAX_DOCUMENT, Aside
from lifesign.probes.mcp.client.metadata import (
    Unusable,
    read_server,
    why_insecure,
)
from servers.signin import RESOURCE_PATH, SERVER_PATH, Page, SignIn, page

ROOT_PATH = "/.well-known/oauth-protected-resource"


async def look(server: SignIn, *, named: str = "", net: Net | None = None, within: float = 5.0) -> Discovery:  # fmt: skip
    aside = Aside(net or Net.open(), parse_url(server.endpoint), TLSOptions())
    deadline = asyncio.get_running_loop().time() + within
    return await discover(aside, named=named, deadline=deadline)


def code_of(seen: Discovery) -> str:
    return seen.failure.code if seen.failure else "ok"


def found_in(seen: Discovery) -> list[tuple[str, Level]]:
    return [(finding.code, finding.level) for finding in seen.findings]


async def test_sound_metadata_is_told_in_facts():
    async with SignIn() as server:
        seen = await look(server, named=f"{server.base}{RESOURCE_PATH}")

    assert (code_of(seen), seen.findings, seen.has_metadata) == ("ok", [], True)
    assert seen.facts == {
        "auth.resource_metadata": f"{server.base}{RESOURCE_PATH}",
        "auth.scopes": ["mcp:read"],
        "auth.issuer": server.base,
        "auth.s256": True,
        "auth.client_id_metadata": True,
        "auth.registration": True,
        "auth.response_iss": False,
    }
    assert server.paths == [RESOURCE_PATH, SERVER_PATH]


async def test_metadata_at_the_root_is_found_when_there_is_none_for_the_path():
    async with SignIn() as server:
        server.pages[ROOT_PATH] = server.pages.pop(RESOURCE_PATH)
        seen = await look(server)

    assert (code_of(seen), seen.findings) == ("ok", [])
    assert server.paths[:2] == [RESOURCE_PATH, ROOT_PATH]


async def test_the_openid_address_is_the_second_choice():
    async with SignIn() as server:
        issuer = "{base}/tenant"
        server.pages[RESOURCE_PATH] = page({"resource": "{base}/mcp", "authorization_servers": [issuer]})  # fmt: skip
        server.pages["/tenant/.well-known/openid-configuration"] = page(server.metadata(issuer=issuer))  # fmt: skip
        seen = await look(server)

    assert (code_of(seen), seen.findings) == ("ok", [])
    assert server.paths[1:] == [
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ]


async def test_a_server_for_machines_needs_no_address_for_browsers():
    async with SignIn() as server:
        server.pages[SERVER_PATH] = page(
            server.metadata(
                authorization_endpoint=None, grant_types_supported=["client_credentials"]
            )
        )
        seen = await look(server)

    assert code_of(seen) == "ok"


RESOURCES = {
    "no JSON": (Page(b"<html>hi"), "prm_invalid", "is not JSON"),
    "a list": (page([]), "prm_invalid", "is no JSON object"),
    "no resource": (page({"authorization_servers": ["{base}"]}), "prm_invalid", "has no `resource`"),
    "an urn": (page({"resource": "urn:x", "authorization_servers": ["{base}"]}), "prm_invalid", "no http(s) URL"),
    "no servers": (page({"resource": "{base}/mcp", "authorization_servers": []}), "prm_invalid", "names no authorization server"),
    "plain http": (page({"resource": "{base}/mcp", "authorization_servers": ["http://as.example"]}), "prm_invalid", "which is not https"),
    "odd issuer": (page({"resource": "{base}/mcp", "authorization_servers": ["as.example"]}), "prm_invalid", "no http(s) URL"),
    "another place": (page({"resource": "https://b.example/mcp", "authorization_servers": ["{base}"]}), "prm_resource_mismatch", "is another address"),
    "too large": (Page(b"[" + b" " * MAX_DOCUMENT + b"]"), "prm_invalid", "larger than 256 KiB"),
}  # fmt: skip


@pytest.mark.parametrize("case", RESOURCES)
async def test_unusable_metadata_of_the_resource_is_a_failure(case):
    served, code, words = RESOURCES[case]
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = served
        seen = await look(server)

    assert code_of(seen) == code
    assert seen.failure is not None
    assert words in seen.failure.message


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("{base}", "names the origin only"),
        ("{base}/mcp/", "differs in the slash at its end"),
        ("{base}/mcp?x=1", "differs in the query"),
    ],
)
async def test_a_resource_that_lenient_clients_take_is_a_finding(resource, words):
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = page({"resource": resource, "authorization_servers": ["{base}"]})  # fmt: skip
        seen = await look(server)

    assert code_of(seen) == "ok"
    assert found_in(seen) == [("prm_resource_mismatch", Level.WARN)]
    assert words in seen.findings[0].message


async def test_metadata_that_the_challenge_promises_must_be_there():
    async with SignIn() as server:
        server.pages.clear()
        seen = await look(server, named=f"{server.base}/prm")

    assert code_of(seen) == "prm_missing"
    assert seen.failure is not None
    assert f"{server.base}/prm answered HTTP 404" in seen.failure.message


async def test_metadata_elsewhere_than_promised_is_a_finding():
    async with SignIn() as server:
        seen = await look(server, named=f"{server.base}/prm")

    assert (code_of(seen), found_in(seen)) == ("ok", [("prm_missing", Level.WARN)])


@pytest.mark.parametrize("named", ["http://meta.example/prm", "gopher://x", "meta"])
async def test_an_unsafe_address_in_the_challenge_is_not_asked(named):
    async with SignIn() as server:
        seen = await look(server, named=named)

    assert (code_of(seen), found_in(seen)) == ("ok", [("prm_invalid", Level.WARN)])


@pytest.mark.parametrize(
    ("address", "named_by", "expected"),
    [
        ("https://as.example", "https://a.example", ""),
        ("http://as.example", "https://a.example", "is not https"),
        ("http://localhost:9", "http://127.0.0.1:8", ""),
        ("http://localhost:9", None, ""),
        ("http://127.0.0.1:9", "https://a.example", "is on the client's own machine"),
        ("https://[::1]/", "https://a.example", "is on the client's own machine"),
        ("as.example", None, "is no http(s) URL"),
        (None, None, "is missing"),
    ],
)
def test_a_stranger_leads_nobody_to_their_own_machine(address, named_by, expected):
    assert why_insecure(address, named_by=parse_url(named_by) if named_by else None) == expected


def test_an_authorization_server_elsewhere_names_no_endpoint_on_this_machine():
    document = SignIn.metadata(issuer="https://as.example", authorization_endpoint="https://as.example/a", token_endpoint="http://127.0.0.1/t")  # fmt: skip
    read = read_server(json.dumps(document).encode(), parse_url("https://as.example"))

    assert isinstance(read, Unusable)
    assert read.what == "has a `token_endpoint` that is on the client's own machine"


async def test_a_server_without_any_metadata_is_a_finding():
    async with SignIn() as server:
        server.pages.clear()
        seen = await look(server)

    assert (code_of(seen), found_in(seen)) == ("ok", [("prm_missing", Level.WARN)])
    assert not seen.has_metadata
    assert "a token from elsewhere" in seen.findings[0].message


async def test_the_way_of_the_older_revision_is_told():
    async with SignIn() as server:
        del server.pages[RESOURCE_PATH]
        seen = await look(server)

    assert (code_of(seen), found_in(seen)) == ("ok", [("prm_missing", Level.WARN)])
    assert seen.facts["auth.issuer"] == server.base
    assert "2025-03-26" in seen.findings[0].message


SERVERS = {
    "missing": (None, "as_metadata_missing", "answered HTTP 404"),
    "moved": (Page(b"", 302, {"location": "/x"}), "as_metadata_missing", "answered HTTP 302"),
    "no JSON": (Page(b"{"), "as_metadata_invalid", "is not JSON"),
    "no issuer": (page(SignIn.metadata(issuer=None)), "as_metadata_invalid", "has no `issuer`"),
    "no token endpoint": (page(SignIn.metadata(token_endpoint=None)), "as_metadata_invalid", "`token_endpoint` that is missing"),
    "plain token endpoint": (page(SignIn.metadata(token_endpoint="http://as.example/t")), "as_metadata_invalid", "`token_endpoint` that is not https"),
    "no browser": (page(SignIn.metadata(authorization_endpoint=None)), "as_metadata_invalid", "`authorization_endpoint` that is missing"),
    "another issuer": (page(SignIn.metadata(issuer="https://b.example")), "issuer_mismatch", "calls the issuer https://b.example"),
}  # fmt: skip


@pytest.mark.parametrize("case", SERVERS)
async def test_unusable_metadata_of_the_authorization_server_is_a_failure(case):
    served, code, words = SERVERS[case]
    async with SignIn() as server:
        del server.pages[SERVER_PATH]
        if served is not None:
            server.pages[SERVER_PATH] = served
        seen = await look(server)

    assert code_of(seen) == code
    assert seen.failure is not None
    assert words in seen.failure.message
    assert seen.failure.remedy


async def test_an_issuer_that_differs_in_its_slash_is_a_finding():
    async with SignIn() as server:
        server.pages[SERVER_PATH] = page(server.metadata(issuer="{base}/"))
        seen = await look(server)

    assert (code_of(seen), found_in(seen)) == ("ok", [("issuer_mismatch", Level.WARN)])


@pytest.mark.parametrize("methods", [None, ["plain"]])
async def test_a_server_without_s256_is_a_finding(methods):
    async with SignIn() as server:
        server.pages[SERVER_PATH] = page(server.metadata(code_challenge_methods_supported=methods))
        seen = await look(server)

    assert (code_of(seen), found_in(seen)) == ("ok", [("no_s256", Level.WARN)])
    assert seen.facts["auth.s256"] is False


@pytest.mark.parametrize(
    ("answer", "words"), [(Page(hangs=True), "sent no byte"), (page({}, 503), "answered HTTP 503")]
)
async def test_an_outage_of_the_authorization_server_is_a_finding_and_costs_its_share_of_the_time(
    answer, words
):
    loop = asyncio.get_running_loop()
    async with SignIn() as server:
        server.pages[SERVER_PATH] = answer
        began = loop.time()
        seen = await look(server, within=0.4)
        took = loop.time() - began

    assert took < 1.0
    assert (code_of(seen), found_in(seen)) == ("ok", [("as_metadata_missing", Level.WARN)])
    assert words in seen.findings[0].message


async def test_metadata_of_the_server_itself_that_cannot_be_had_is_a_failure():
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = page({}, 500)
        seen = await look(server)

    assert code_of(seen) == "prm_missing"


async def test_what_our_own_fence_keeps_us_from_is_no_fault_of_the_servers():
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = page(
            {"resource": "{base}/mcp", "authorization_servers": ["https://10.1.2.3/"]}
        )
        seen = await look(server, net=Net.open(deny=["10.0.0.0/8"]))

    assert (code_of(seen), found_in(seen)) == ("ok", [("as_metadata_missing", Level.INFO)])


async def test_a_redirect_is_not_followed():
    async with SignIn() as server:
        server.pages["/moved"] = server.pages.pop(RESOURCE_PATH)
        server.pages[RESOURCE_PATH] = Page(b"", 302, {"location": "/moved"})
        seen = await look(server, named=f"{server.base}{RESOURCE_PATH}")

    assert code_of(seen) == "prm_missing"
    assert "/moved" not in server.paths


async def test_a_foreign_server_may_be_of_the_given_authority_and_sees_no_client_certificate():
    """The authority of the monitor is the whole trust of its endpoint, and one more for the places it names."""
    ca, shown = trustme.CA(), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(writer.get_extra_info("peercert"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    mine = ca.issue_cert("probe.example")
    tls = TLSOptions(
        ca_pem=ca.cert_pem.bytes().decode(),
        client_cert_pem=mine.cert_chain_pems[0].bytes().decode(),
        client_key_pem=mine.private_key_pem.bytes().decode(),
    )
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        url = parse_url(f"https://localhost:{port}/metadata")
        deadline = asyncio.get_running_loop().time() + 5
        for home in ("https://mcp.example/mcp", f"https://localhost:{port}/mcp"):
            aside = Aside(Net.open(), parse_url(home), tls)
            page_of_it = await aside.get(url, deadline=deadline)
            assert (page_of_it.status, page_of_it.body) == (200, b"{}")

    assert shown[0] in (None, {})
    assert dict(shown[1])["subject"]

"""Addresses and documents of sign-in metadata: where they are looked for, how they are read. Pure."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.net.http import parse_url
from lifesign.probes.mcp.client.metadata import (
    Kinship,
    Unusable,
    kinship,
    read_resource,
    read_server,
    resource_metadata_urls,
    server_metadata_urls,
    shown_address,
)


def test_the_metadata_is_looked_for_in_the_documented_order():
    named = "https://meta.example/prm"

    assert resource_metadata_urls(parse_url("https://a.example/x/mcp?k=1"), named) == (
        named,
        "https://a.example/.well-known/oauth-protected-resource/x/mcp",
        "https://a.example/.well-known/oauth-protected-resource",
    )
    assert resource_metadata_urls(parse_url("https://a.example")) == (
        "https://a.example/.well-known/oauth-protected-resource",
    )
    assert server_metadata_urls(parse_url("https://as.example/t1/")) == (
        "https://as.example/.well-known/oauth-authorization-server/t1",
        "https://as.example/.well-known/openid-configuration/t1",
        "https://as.example/t1/.well-known/openid-configuration",
    )
    assert server_metadata_urls(parse_url("https://as.example:8443")) == (
        "https://as.example:8443/.well-known/oauth-authorization-server",
        "https://as.example:8443/.well-known/openid-configuration",
    )


def test_the_order_is_that_of_the_official_sdk():
    from mcp.client.auth import utils

    for endpoint in ("https://a.example/x/mcp", "https://a.example:8443/mcp", "https://a.example/"):
        theirs = utils.build_protected_resource_metadata_discovery_urls("https://m.example/p", endpoint)  # fmt: skip
        assert list(resource_metadata_urls(parse_url(endpoint), "https://m.example/p")) == theirs
    for issuer in ("https://as.example", "https://as.example/t", "https://as.example/t/u/"):
        theirs = utils.build_oauth_authorization_server_metadata_discovery_urls(issuer, "")
        assert list(server_metadata_urls(parse_url(issuer))) == theirs


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("https://a.example/v1/mcp", Kinship.SAME),
        ("https://a.example/v1/mcp/", Kinship.SLASH),
        ("https://A.example/v1/mcp", Kinship.SPELLING),
        ("https://a.example:443/v1/mcp", Kinship.SPELLING),
        ("https://a.example/v1/mcp?tenant=x", Kinship.QUERY),
        ("https://a.example", Kinship.ORIGIN),
        ("https://a.example/", Kinship.ORIGIN),
        ("https://a.example/v1", Kinship.PARENT),
        ("https://a.example/v", Kinship.OTHER),
        ("https://a.example/v1/mcp/more", Kinship.OTHER),
        ("https://b.example/v1/mcp", Kinship.OTHER),
        ("http://a.example/v1/mcp", Kinship.OTHER),
        ("urn:mcp:server", Kinship.OTHER),
        ("https://user@a.example/v1/mcp", Kinship.OTHER),
    ],
)
def test_a_resource_is_told_apart_from_the_endpoint(resource, expected):
    assert kinship(resource, parse_url("https://a.example/v1/mcp")) is expected


@pytest.mark.parametrize("resource", ["https://a.example", "https://a.example/"])
def test_an_origin_is_the_same_with_and_without_its_slash(resource):
    assert kinship(resource, parse_url("https://a.example")) is Kinship.SAME


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example/x/?key=s3cret", "https://a.example/x/?…"),
        ("https://user:s3cret@a.example/x", "'a.example/x'"),
        ("not an address", "'not an address'"),
    ],
)
def test_an_address_of_a_strangers_is_shown_without_keys(text, expected):
    assert shown_address(text) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "resource", "authorization_servers", "issuer", "token_endpoint", "authorization_endpoint",
        "grant_types_supported", "code_challenge_methods_supported", "scopes_supported",
    ]), inner, max_size=6),
)  # fmt: skip


@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_document_is_read_or_called_unusable(body):
    for read in (read_resource, read_server):
        document = read(body)
        assert not isinstance(document, Unusable) or document.what

"""URLs are read strictly and canonically."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.net.url import URLError, parse_host, parse_host_port, parse_url


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
        ("https://example.com?x=1", "https://example.com/?x=1"),
    ],
)
def test_a_url_has_one_form(text: str, canonical: str) -> None:
    assert str(parse_url(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.com", "ftp://a.b/", "http://", "http:///x", "http://a b/", "http://a\\b/"),
        *("http://a.b:99999/", "http://a.b:0/", "http://a.b:x/", "http://-a.b/", "http://a..b/"),
        *("http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/"),
        *("http://①②⑦.0.0.1/", "http://127.0.0.0x1/", "http://1.2.3.4.5/", "http://[::1/"),
        *("http://[::ffff:1.2.3.4.5]/", "http://a.b/\r\nx", "x" * 5000, "http://127.0.0.01/"),
    ],
)
def test_what_is_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(URLError):
        parse_url(text)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(URLError) as caught:
        parse_url("https://user:hunter2@example.com/")

    assert "hunter2" not in str(caught.value)


def test_messages_leave_the_query_out() -> None:
    assert parse_url("https://a.b/c?token=hunter2").shown == "https://a.b/c?…"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/y", "https://a.b/y"),
        ("y", "https://a.b/c/y"),
        ("//d.e/", "https://d.e/"),
        ("http://d.e", "http://d.e/"),
    ],
)
def test_a_location_is_joined(location: str, expected: str) -> None:
    assert str(parse_url("https://a.b/c/x").join(location)) == expected


@pytest.mark.parametrize("location", ["http://[::1", "//[::1/x", "http://a]b/"])
def test_a_location_that_is_no_address_is_refused(location: str) -> None:
    with pytest.raises(URLError):
        parse_url("https://a.b/c/x").join(location)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b:22", ("a.b", 22)),
        ("[::1]:80", ("::1", 80)),
        ("1.2.3.4:5", ("1.2.3.4", 5)),
    ],
)
def test_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_host_port(text) == expected


@pytest.mark.parametrize("text", ["a.b", "a.b:0", "a.b:70000", "http://a.b:1", "[::1]", "127.1:80"])
def test_what_is_not_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(URLError):
        parse_host_port(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_url, parse_host, parse_host_port, lambda t: parse_url(f"http://{t}/")):
        try:
            read(text)
        except URLError:
            continue


@given(st.from_regex(r"[a-z]{1,8}\.[a-z]{2,5}", fullmatch=True), st.integers(1, 65535), st.text())
def test_reading_the_canonical_form_changes_nothing(host: str, port: int, path: str) -> None:
    try:
        url = parse_url(f"http://{host}:{port}/{path}")
    except URLError:
        return

    assert parse_url(str(url)) == url

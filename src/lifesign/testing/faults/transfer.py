"""Faults below MCP: connections, TLS, and what HTTP servers and the proxies before them do."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat

from lifesign.testing.answers import JSON, Answer, Call, as_json, page
from lifesign.testing.faults.fault import Fault, fault
from lifesign.testing.ways import Arrival

TLS = "that it is served with TLS"

_HALF = b'{"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": '


def _elsewhere(call: Call) -> Answer:
    """From https down to http, as an application behind TLS does that was not told so."""
    return Answer(307, {"Location": f"http://{call.headers.get('host', '')}{call.path}/"})


def _to_itself(call: Call) -> Answer:
    return Answer(307, {"Location": call.path})


def _mistyped(call: Call) -> Answer:
    answer = call.faithful()
    return replace(answer, headers=dict(answer.headers) | {"Content-Type": "text/plain"})


def _header_lines() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    yield from repeat(b"X-Padding: " + b"x" * 1000 + b"\r\n")


class _HeaderFlood:
    """Header lines without end, anew for every answer."""

    def __iter__(self) -> Iterator[bytes]:
        return _header_lines()


def _plain(status: int, words: str) -> Answer:
    return Answer(status, {"Content-Type": "text/plain"}, words.encode())


CONNECTIONS = (
    fault("tcp/refused", "does not listen on its port.", arrival=Arrival.REFUSE),
    fault("tcp/reset", "resets every connection.", arrival=Arrival.RESET),
    fault("tls/handshake_failed", "answers a TLS handshake in plain text.", arrival=Arrival.PLAIN_TEXT),
    fault("tls/handshake_timeout", "never answers a TLS handshake.", arrival=Arrival.SILENT_TLS),
    fault("http/first_byte_timeout", "takes requests and never answers.", every=Answer(is_silent=True)),
    fault(
        "http/read_timeout", "stops in the middle of its first answer and keeps the connection open.",
        every=Answer(headers={"Content-Type": JSON}, chunks=(_HALF,), then="hang"),
    ),
    fault(
        "http/closed_early", "promises 1,000 bytes and hangs up after some.",
        every=Answer(headers={"Content-Type": JSON, "Content-Length": "1000"}, body=_HALF, close_after=True),
    ),
    fault("http/bad_response", "answers HTTP with another protocol.", every=Answer(raw=(b"SSH-2.0-OpenSSH_9.9\r\n",))),
    fault("http/header_too_large", "sends header lines without end.", every=Answer(raw=_HeaderFlood())),
)  # fmt: skip

STATUSES = (
    fault("http/redirect_breaks_post", "redirects with 302, so that clients come with a GET.", every=Answer(302, {"Location": "/mcp/"})),
    fault("http/redirect_downgrade", "redirects from https to http.", needs=TLS, every=_elsewhere),
    fault("http/redirect_loop", "redirects to itself with 307.", every=_to_itself),
    fault("http/moved_redirect", "redirects to another host with 307.", every=Answer(307, {"Location": "http://moved.example/mcp"})),
    fault("http/not_found", "knows no such path (404).", every=_plain(404, "Not Found")),
    fault("http/method_not_allowed", "takes no POST (405).", every=Answer(405, {"Allow": "GET"})),
    fault("http/not_acceptable", "refuses the Accept header (406).", every=_plain(406, "Not Acceptable")),
    fault("http/payload_too_large", "calls every body too large (413).", every=page("413 Request Entity Too Large", 413)),
    fault("http/unsupported_media_type", "refuses JSON (415).", every=_plain(415, "Unsupported Media Type")),
    fault("http/invalid_host", "does not know its own host name (421).", every=_plain(421, "Invalid Host header")),
    fault("http/client_error", "refuses every request with 418.", every=_plain(418, "I'm a teapot")),
    fault("http/rate_limited", "asks to slow down (429) and to wait 7 seconds.", every=Answer(429, {"Retry-After": "7"})),
    fault("http/overloaded", "has too many sessions (503 with Retry-After).", every=as_json({"error": "Too many open sessions"}, 503, **{"Retry-After": "5"})),
    fault("http/maintenance_page", "shows a maintenance page (503).", every=page("Down for maintenance", 503)),
    fault("http/gateway_error", "stands behind a proxy that cannot reach it (502).", every=page("502 Bad Gateway", 502)),
    fault("http/server_error", "fails with 500.", every=_plain(500, "Internal Server Error")),
    fault("http/html_body", "answers with a web page (200).", every=page("Welcome")),
    fault("http/empty_body", "answers requests with 200 and nothing.", every=Answer(200)),
    fault("http/invalid_content_type", "sends good replies as text/plain.", every=_mistyped),
    fault("http/blocked_by_waf", "stands behind a filter that wants a browser (403, challenge page).", every=page("Just a moment...", 403, **{"cf-mitigated": "challenge"})),
    fault("http/origin_refused", "refuses every origin (403).", every=_plain(403, "Invalid Origin header")),
    fault(
        "http/body_too_large", "answers with a body that has no end.",
        every=Answer(headers={"Content-Type": JSON}, chunks=chain([b'{"padding": "'], repeat(b"x" * 65_536))),
    ),
)  # fmt: skip

TRANSFER: tuple[Fault, ...] = CONNECTIONS + STATUSES

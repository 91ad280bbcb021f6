"""Redirects of a POST: which of them a client can follow, and what is wrong with the others. Pure."""

from lifesign.net.http import URL, URLError
from lifesign.probes.mcp.client.answers import Answer, AnswerError, Exchange

MAX_REDIRECTS = 3
_METHOD_KEEPING = frozenset({307, 308})


def next_place(exchange: Exchange, here: URL, answer: Answer) -> URL:
    """Where a redirect leads when a client could follow it. Raises `AnswerError` when it could not.

    It must keep the method, and stay where our credentials may go.
    """
    location = answer.headers.get("location", "")
    try:
        url = here.join(location) if location else None
    except URLError:
        url = None
    if url is None or answer.status not in _METHOD_KEEPING or not is_same_place(here, url):
        raise _broken(exchange, here, answer, url)
    return url


def endless(exchange: Exchange, answer: Answer) -> AnswerError:
    """Redirects that lead to further ones."""
    what = f"was redirected more than {MAX_REDIRECTS} times"
    return AnswerError(exchange.failure("http", "redirect_loop", what, answer=answer), answer)


def _broken(exchange: Exchange, here: URL, answer: Answer, url: URL | None) -> AnswerError:
    status, code = answer.status, "moved_redirect"
    if url is None:
        what = f"was redirected (HTTP {status}) to nowhere that can be read"
    elif here.is_tls and not url.is_tls:
        code = "redirect_downgrade"
        what = f"was redirected (HTTP {status}) from https down to {url.shown}"
    elif status not in _METHOD_KEEPING:
        code = "redirect_breaks_post"
        what = f"was redirected to {url.shown} with HTTP {status}, which turns a POST into a GET"
    else:
        what = f"was redirected (HTTP {status}) to another place, {url.shown}"
    return AnswerError(exchange.failure("http", code, what, answer=answer), answer)


def is_same_place(before: URL, after: URL) -> bool:
    """Whether credentials may go there: the same origin, or the same host by TLS on its own port."""
    if before.origin == after.origin:
        return True
    return before.host == after.host and after.is_tls and after.port == 443 and not before.is_tls

"""Lists that come in pages: read to their end, with loops and endless ones told."""

from dataclasses import dataclass, replace

import msgspec

from lifesign.core.model import Failure
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.answers import Answer, AnswerError, Exchange
from lifesign.probes.mcp.client.greeting import UNREADABLE, kind_of, opened
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Fault

MAX_PAGES = 50
MAX_BYTES = 16 * 1024 * 1024
"""All pages of one list together; more than any client holds."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as it came: the JSON text of each page's result. `is_cut` says that it goes on."""

    pages: tuple[bytes, ...]
    is_cut: bool = False

    @property
    def size(self) -> int:
        """Bytes of all pages."""
        return sum(map(len, self.pages))


class _Page(msgspec.Struct):
    nextCursor: object = None  # noqa: N815 - the wire's own name


_page_decoder = msgspec.json.Decoder(_Page)


async def read_list(visit: Visit, method: str, *, step: str) -> Listing:
    """Read every page. Raises `NetError`; a cursor that comes again would never end and is a failure of `step`."""
    pages: list[bytes] = []
    seen: set[str] = set()
    params: dict[str, object] = {}
    size = 0
    while True:
        message = visit.message(method, params, step=step)
        answer = await visit.line.send(message)
        try:
            result = visit.result_of(message, answer)
        except AnswerError as error:
            # That a page is refused does not say that the list is not known.
            answer = replace(error.answer, reply=None) if pages else error.answer
            raise AnswerError(error.failure, answer) from None
        pages.append(result.raw)
        size += len(result.raw)
        cursor = _cursor_of(result.raw)
        if isinstance(cursor, Fault):
            raise _bad_list(visit.line.exchange(message), cursor, answer)
        if not cursor:
            return Listing(tuple(pages))
        if cursor in seen:
            loop = Fault("pagination_loop", f"repeats a cursor on page {len(pages)}")
            raise _bad_list(visit.line.exchange(message), loop, answer)
        seen.add(cursor)
        if len(pages) >= MAX_PAGES or size >= MAX_BYTES:
            return Listing(tuple(pages), is_cut=True)
        params = {"cursor": cursor}


def _cursor_of(raw: bytes) -> str | Fault:
    """Where the list goes on; empty at its end. Most lists have no cursor, and the text shows that at once."""
    if b"nextCursor" not in raw:
        return ""
    try:
        cursor = _page_decoder.decode(raw).nextCursor
    except UNREADABLE:
        result = opened(raw)
        if isinstance(result, dict):
            return ""
        return Fault("malformed", f"is {kind_of(result)} instead of an object")
    if cursor is not None and not isinstance(cursor, str):
        return Fault("malformed", f"has a `nextCursor` that is {kind_of(cursor)} instead of text")
    return cursor or ""


def _bad_list(exchange: Exchange, fault: Fault, answer: Answer) -> NetError:
    return AnswerError(bad_list(exchange, fault, answer), answer)


def bad_list(exchange: Exchange, fault: Fault, answer: Answer) -> Failure:
    """The failure of a list that cannot be used; only tools have words of their own for it."""
    what = f"got a list that {fault.what}"
    code = fault.code if exchange.step == "tools_list" else "error"
    return exchange.failure(exchange.step, code, what, answer=answer)

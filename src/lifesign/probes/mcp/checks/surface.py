"""The published surface: tools at every look, the other lists every few minutes, and nothing twice.

1. The raw bytes of tools/list are hashed. The same bytes as last time mean the same surface, the same facts and the
   same findings: nothing is decoded.
2. Otherwise the list is decoded, its shape is checked, the other lists are read too, and the surface is named anew.
3. The other lists (resources, templates, prompts) are read again when they are due.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace

from lifesign.core.drift.canonical import TooDeepError
from lifesign.core.drift.hashes import surface_of
from lifesign.core.model import Finding, Level, Surface
from lifesign.probes.mcp.checks.lists import Listing, bad_list, read_list
from lifesign.probes.mcp.checks.shapes import MAX_TOOLS, ToolList, find_flaws, read_tools
from lifesign.probes.mcp.client.answers import Answer, AnswerError
from lifesign.probes.mcp.client.greeting import opened
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Fault, RPCError
from lifesign.probes.mcp.sheet import Sheet, found

MEMORY = "surface"
"""The key in the probe's memory. Whoever misses the document of a digest takes it away, and the next look brings it."""

OTHERS_EVERY_S = 300.0
INLINE_BYTES = 100_000
"""A larger list is looked at in a thread, for it takes longer than the loop should stand still."""
MAX_NAMES = 100
MAX_NAME_CHARS = 100

_OTHERS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "resources": (
        ("resources/list", "resources", "resources"),
        ("resources/templates/list", "resources", "resourceTemplates"),
    ),
    "prompts": (("prompts/list", "prompts", "prompts"),),
}
"""Capability → (method, step, member of the result and of the surface)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the last look found, kept without the lists themselves."""

    tools: bytes
    others: bytes
    others_at: float
    surface: Surface | None
    facts: Mapping[str, object]
    findings: tuple[Finding, ...]
    order: bytes = b""


@dataclass(slots=True)
class _Look:
    """What this look has read."""

    tools: Listing | None = None
    others: dict[str, Listing] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    is_whole: bool = True
    left_out: str = ""


async def read_surface(
    visit: Visit,
    sheet: Sheet,
    memory: MutableMapping[str, object],
    *,
    now: float,
    audience: str = "",
    left_out: str = "",
) -> tuple[Surface | None, Listing | None]:
    """Read what the server publishes, and tell of it. Raises `NetError` when the tools cannot be listed.

    `now` is an instant of the monotonic clock; the list `left_out` is looked at and no part of the surface. The
    surface is None when a list could not be read whole; its document is left out when it is the one that was handed
    over last time.
    """
    known = memory.get(MEMORY)
    known = known if isinstance(known, Known) else None
    look = _Look()
    if "tools" in visit.greeting.capabilities:
        started = time.perf_counter()
        look.tools = await read_list(visit, "tools/list", step="tools_list")
        # Not until now: what was waited for after the last reply, for the end of its stream, was our own wish.
        sheet.phases["tools_list"] = (visit.line.replied_at - started) * 1000
    started = time.perf_counter()
    tools = _fingerprint(look.tools.pages if look.tools else ())
    is_due = known is None or now - known.others_at >= OTHERS_EVERY_S
    if known is not None and known.tools == tools and not is_due:
        fresh = known
    else:
        await _read_others(visit, look)
        if look.others:
            sheet.phases["other_lists"] = (time.perf_counter() - started) * 1000
        started = time.perf_counter()
        look.left_out = left_out
        fresh = await _named_anew(visit, look, known, tools=tools, audience=audience)
        # What could not be read is asked for again at once, so that its finding is always a fresh one.
        _remember(memory, replace(fresh, others_at=now if look.is_whole else -math.inf))
    sheet.facts.update(fresh.facts)
    sheet.findings += fresh.findings
    if _is_reordered(fresh, known):
        message = "The same tools are listed in another order than a look before."
        sheet.find(Level.INFO, "tools_list", "unstable_order", message)
    if look.tools is not None:
        sheet.phases["shape"] = (time.perf_counter() - started) * 1000
    return fresh.surface, look.tools


async def _named_anew(
    visit: Visit, look: _Look, known: Known | None, *, tools: bytes, audience: str
) -> Known:
    """What is known after this look: the same as before where every byte is the same, else examined anew."""
    watched = [name for name in sorted(look.others) if name != look.left_out]
    others = _fingerprint(page for name in watched for page in look.others[name].pages)
    others = _fingerprint((others, repr(_identity(visit)).encode(), audience.encode()))
    if known is not None and (known.tools, known.others) == (tools, others) and look.is_whole:
        return known
    fresh = await _examine(visit, look, audience=audience)
    return replace(fresh, tools=tools, others=others)


def _remember(memory: MutableMapping[str, object], fresh: Known) -> None:
    """Keep the digest and let go of the document, which the engine has by now."""
    surface = fresh.surface
    bare = None if surface is None else replace(surface, document=None)
    memory[MEMORY] = replace(fresh, surface=bare)


def _fingerprint(pages: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256(usedforsecurity=False)
    for page in pages:
        digest.update(page)
    return digest.digest()


def _identity(visit: Visit) -> tuple[object, ...]:
    greeting = visit.greeting
    return (greeting.server_info, greeting.capabilities, greeting.instructions)


async def _read_others(visit: Visit, look: _Look) -> None:
    """The lists of every capability that is declared. One that is not answered is told, and the rest goes on."""
    for capability, lists in _OTHERS.items():
        if capability not in visit.greeting.capabilities:
            continue
        for method, step, member in lists:
            await _read_other(visit, look, method, step=step, member=member)


async def _read_other(visit: Visit, look: _Look, method: str, *, step: str, member: str) -> None:
    try:
        listing = await read_list(visit, method, step=step)
        _require_items(visit, listing, method, step=step, member=member)
        look.others[member] = listing
    except AnswerError as error:
        if _is_unknown_method(error.answer):
            # Templates are an optional part of resources; a whole capability is not.
            if member != "resourceTemplates":
                message = f"The server declares {step} and does not know `{method}`."
                look.findings.append(found(Level.WARN, "shape", "capability_unanswered", message))
            return
        look.is_whole = False
        look.findings.append(Finding.of(error.failure, Level.WARN))


def _require_items(visit: Visit, listing: Listing, method: str, *, step: str, member: str) -> None:
    """A page without its list is no empty list: it would look as if everything had been taken back."""
    for number, raw in enumerate(listing.pages, start=1):
        page = opened(raw)
        if not isinstance(page, dict) or not isinstance(page.get(member), list):
            fault = Fault("malformed", f"has no `{member}` array on page {number}")
            answer = Answer(body=raw[:4000])
            exchange = visit.line.exchange(visit.message(method, {}, step=step))
            raise AnswerError(bad_list(exchange, fault, answer), answer)


def _is_unknown_method(answer: Answer) -> bool:
    return isinstance(answer.reply, RPCError) and answer.reply.number in (-32601, -32602)


async def _examine(visit: Visit, look: _Look, *, audience: str) -> Known:
    size = sum(each.size for each in (look.tools, *look.others.values()) if each is not None)
    if size > INLINE_BYTES:
        return await asyncio.to_thread(_look_into, visit, look, audience)
    return _look_into(visit, look, audience)


def _look_into(visit: Visit, look: _Look, audience: str) -> Known:
    listed = ToolList()
    findings: tuple[Finding, ...] = ()
    facts: dict[str, object] = {}
    if look.tools is not None:
        listed = _tools_of(visit, look.tools)
        findings = find_flaws(listed, is_cut=look.tools.is_cut)
        names = listed.names
        facts = {
            "tools.count": len(names),
            "tools.names": [name[:MAX_NAME_CHARS] for name in names[:MAX_NAMES]],
            "tools.pages": len(look.tools.pages),
            "tools.bytes": look.tools.size,
        }
    is_cut = any(each.is_cut for each in (look.tools, *look.others.values()) if each)
    surface = None
    if look.is_whole and not is_cut and len(listed.tools) <= MAX_TOOLS:
        surface = _surface(visit, listed, look, audience)
    if surface is not None:
        facts["surface.digest"] = surface.digest
    order = _fingerprint(name.encode(errors="replace") for name in listed.names)
    return Known(b"", b"", 0.0, surface, facts, (*look.findings, *findings), order)


def _tools_of(visit: Visit, tools: Listing) -> ToolList:
    listed = read_tools(tools.pages)
    if not isinstance(listed, Fault):
        return listed
    message = visit.message("tools/list", {}, step="tools_list")
    answer = Answer(body=tools.pages[0][:4000])
    failure = bad_list(visit.line.exchange(message), listed, answer)
    raise AnswerError(failure, answer)


def _surface(visit: Visit, listed: ToolList, look: _Look, audience: str) -> Surface | None:
    parts: dict[str, object] = {
        "tools": listed.tools,
        "capabilities": dict(visit.greeting.capabilities),
        "serverInfo": dict(visit.greeting.server_info),
        "instructions": visit.greeting.instructions,
    }
    for member, listing in look.others.items():
        if member == look.left_out:
            continue
        pages = [opened(page) for page in listing.pages]
        items = [page.get(member) for page in pages if isinstance(page, dict)]
        parts[member] = [item for each in items if isinstance(each, list) for item in each]
    try:
        return surface_of(parts, audience=audience)
    except TooDeepError:
        return None


def _is_reordered(fresh: Known, before: Known | None) -> bool:
    """Whether the same tools came in another order than last time: no drift, and dear for clients' prompt caches."""
    if fresh.surface is None or before is None or before.surface is None:
        return False
    is_same = before.surface.hashes.get("names") == fresh.surface.hashes.get("names")
    return is_same and before.order != fresh.order

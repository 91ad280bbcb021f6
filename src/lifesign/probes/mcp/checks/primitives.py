"""Resources, prompts and completions: declared is not served, so one of each is really asked for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from lifesign.core.age import age_of
from lifesign.core.jsonpath import compile_path, walk
from lifesign.core.model import Failure, Level, Reason
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.periodic import Shelf, Told, Trouble, tell
from lifesign.probes.mcp.checks.primitive_settings import (
    CompletionCheck,
    PeriodicCheck,
    PromptCheck,
    ResourceCheck,
)
from lifesign.probes.mcp.client.greeting import opened
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.sheet import Sheet, failed
from lifesign.probes.registry import ProbeContext

PROMPT_S = 5.0
"""How long a client waits for a prompt before it gives up."""
COMPLETION_S = 3.0
"""How long a person waits for a completion."""

LEAST_S = 0.25
"""With less time than this left, a check waits for the next probe: it would only measure our own haste."""
FAIR_S = 0.5
"""A time-out of a check that had less time than this says nothing: what came before took the rest."""

Check = Callable[[], Awaitable[Told]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One look at a primitive: over which visit, in which run."""

    visit: Visit
    ctx: ProbeContext

    def within(self, seconds: float) -> float:
        """An instant of the loop clock, not after the probe's own end."""
        return min(self.ctx.deadline, asyncio.get_running_loop().time() + seconds)


async def check_primitives(
    visit: Visit,
    sheet: Sheet,
    ctx: ProbeContext,
    *,
    resource: ResourceCheck | None,
    prompt: PromptCheck | None,
    completion: CompletionCheck | None,
) -> Failure | None:
    """Ask those that are configured and due, and tell the last word of the others; returns what fails the server."""
    asked = Asked(visit, ctx)
    failure: Failure | None = None
    if resource is not None:
        found = await periodic("resources", resource, lambda: _read(asked, resource), sheet, ctx)
        failure = sheet.first(failure, found)
    if prompt is not None:
        found = await periodic("prompts", prompt, lambda: _expand(asked, prompt), sheet, ctx)
        failure = sheet.first(failure, found)
    if completion is not None:
        found = await periodic(
            "completion", completion, lambda: _complete(asked, completion), sheet, ctx
        )
        failure = sheet.first(failure, found)
    return failure


async def periodic(
    name: str, settings: PeriodicCheck, check: Check, sheet: Sheet, ctx: ProbeContext
) -> Failure | None:
    """Run one check when it is due and tell its last word, under the facts of its name."""
    shelf = Shelf.of(ctx.memory, name)
    now_s = ctx.clock.monotonic()
    is_due = shelf.is_due(name, settings, every_s=settings.every.total_seconds(), now_s=now_s)
    left_s = ctx.deadline - asyncio.get_running_loop().time()
    if is_due and left_s >= LEAST_S:
        started = time.perf_counter()
        told = await _told(check, left_s)
        sheet.phases[name] = took = round((time.perf_counter() - started) * 1000, 3)
        if told is not None:
            facts = {"state": told.state.value, "duration_ms": took, **told.facts}
            facts["checked_at"] = ctx.clock.now().isoformat()
            shelf.keep(name, settings, Told(facts, told.troubles), now_s=now_s)
    last = shelf.last(name, settings) or Told({"state": "unknown"})
    return tell(last, sheet, prefix=name, weight=settings.weight)


async def _told(check: Check, left_s: float) -> Told | None:
    """What a check tells; None where it was cut off before it had a fair chance."""
    try:
        return await check()
    except NetError as error:
        if error.failure.reason is Reason.TIMEOUT and left_s < FAIR_S:
            return None
        return Told({}, (Trouble(Level.FAIL, error.failure),))


def trouble(layer: str, code: str, message: str, level: Level = Level.FAIL) -> Trouble:
    """A trouble with the words of its code."""
    return Trouble(level, failed(layer, code, message))


async def _read(asked: Asked, check: ResourceCheck) -> Told:
    """Read one resource; its age is that of its `lastModified`, or of a timestamp in its text."""
    listed = await _first_page(asked.visit, "resources/list", "resources")
    uri = check.uri or next((str(each["uri"]) for each in listed if each.get("uri")), "")
    if not uri:
        return Told({"count": len(listed)})
    shown = uri.partition("?")[0][:200]
    result = opened((await asked.visit.call("resources/read", {"uri": uri}, step="resources", name=uri)).raw)  # fmt: skip
    contents = result.get("contents") if isinstance(result, dict) else None
    if not isinstance(contents, list) or not contents or not isinstance(contents[0], dict):
        message = f"`resources/read` of {shown} gave no contents."
        return Told({"uri": shown}, (trouble("resources", "error", message),))
    described = next((each for each in listed if each.get("uri") == uri), {})
    age_s = _age_s(asked, check, contents[0], described)
    facts: dict[str, object] = {"uri": shown, "count": len(listed)}
    if age_s is not None:
        facts["age_s"] = round(age_s, 1)
    return Told(facts, _too_old(shown, age_s, check))


def _age_s(
    asked: Asked, check: ResourceCheck, content: Mapping[str, Any], described: Mapping[str, Any]
) -> float | None:
    stamp: object = None
    if check.timestamp:
        text = content.get("text")
        document = opened(text.encode()) if isinstance(text, str) else None
        stamp = walk(document, compile_path(check.timestamp))
    else:
        for holder in (content, described):
            notes = holder.get("annotations")
            if isinstance(notes, dict) and stamp is None:
                stamp = notes.get("lastModified")
    age = age_of(stamp, asked.ctx.clock.now())
    return float(age) if isinstance(age, int | float) else None


def _too_old(shown: str, age_s: float | None, check: ResourceCheck) -> tuple[Trouble, ...]:
    if check.max_age is None:
        return ()
    if age_s is None:
        message = f"The resource {shown} shows no timestamp that its age could be read from."
        return (trouble("resources", "stale", message),)
    if age_s <= check.max_age.total_seconds():
        return ()
    message = f"The resource {shown} is {timedelta(seconds=round(age_s))} old; at most {check.max_age} is allowed."
    return (trouble("resources", "stale", message),)


async def _expand(asked: Asked, check: PromptCheck) -> Told:
    """Expand one prompt, and look that something is in it."""
    deadline = asked.within(PROMPT_S)
    listed = await _first_page(asked.visit, "prompts/list", "prompts")
    name = check.name or next(
        (str(each["name"]) for each in listed if each.get("name") and not _needs(each)), ""
    )
    if not name:
        return Told({"count": len(listed)})
    params = {"name": name, "arguments": check.arguments}
    answered = await asked.visit.call(
        "prompts/get", params, step="prompts", name=name, deadline=deadline
    )
    result = opened(answered.raw)
    messages = result.get("messages") if isinstance(result, dict) else None
    facts = {"name": name[:100], "count": len(listed)}
    if not isinstance(messages, list) or not messages:
        message = f"The prompt `{name[:60]}` expands to no message."
        return Told(facts, (trouble("prompts", "empty", message),))
    if not any(_says_something(each) for each in messages):
        message = f"The prompt `{name[:60]}` expands to messages with nothing in them."
        return Told(facts, (trouble("prompts", "empty", message),))
    return Told({**facts, "messages": len(messages)})


def _needs(prompt: Mapping[str, Any]) -> bool:
    arguments = prompt.get("arguments")
    given = arguments if isinstance(arguments, list) else []
    return any(isinstance(each, dict) and each.get("required") is True for each in given)


def _says_something(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, dict) and content.get("type") == "text":
        return bool(str(content.get("text") or "").strip())
    return bool(content)


async def _complete(asked: Asked, check: CompletionCheck) -> Told:
    """Ask for one completion; slow is as bad as none, because people stop waiting."""
    kind = {"type": "ref/prompt", "name": check.prompt}
    if check.resource:
        kind = {"type": "ref/resource", "uri": check.resource}
    params = {"ref": kind, "argument": {"name": check.argument, "value": check.value}}
    started = time.perf_counter()
    answered = await asked.visit.call(
        "completion/complete", params, step="completion", deadline=asked.within(COMPLETION_S)
    )
    took_s = time.perf_counter() - started
    result = opened(answered.raw)
    completion = result.get("completion") if isinstance(result, dict) else None
    values = completion.get("values") if isinstance(completion, dict) else None
    what = f"The completion of `{check.argument[:60]}`"
    if not isinstance(values, list):
        return Told({}, (trouble("completion", "error", f"{what} has no list of values."),))
    facts = {"values": len(values)}
    if took_s > check.most.total_seconds():
        message = f"{what} took {took_s * 1000:.0f} ms; at most {check.most.total_seconds() * 1000:.0f} ms is allowed."
        return Told(facts, (trouble("completion", "slow", message, Level.WARN),))
    return Told(facts)


async def _first_page(visit: Visit, method: str, member: str) -> list[dict[str, Any]]:
    result = opened((await visit.call(method, {}, step=member)).raw)
    items = result.get(member) if isinstance(result, dict) else None
    if not isinstance(items, list):
        message = f"`{method}` gave no list of {member}."
        raise NetError(failed(member, "error", message))
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]

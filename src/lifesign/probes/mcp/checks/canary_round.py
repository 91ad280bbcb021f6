"""One run of one canary over one visit: its steps in order, each held against what is expected of it.

1. Each step's arguments are filled from what earlier steps took.
2. A step that polls is called again until it has nothing to object to, or its time is over.
3. The first failure ends the run; steps marked as clean-up still run, in time that is kept back for them.
4. A step that is well but warned about (degraded) lets the run go on.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from lifesign.clock import Clock
from lifesign.core.condition import compile_condition
from lifesign.core.jsonpath import Absent, compile_path, walk
from lifesign.core.model import Failure, Level
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.canary_settings import Canary, Poll, Step
from lifesign.probes.mcp.checks.outcome import (
    CallResult,
    Expected,
    Objection,
    Timing,
    judge_result,
    read_result,
)
from lifesign.probes.mcp.checks.output_schema import find_violation
from lifesign.probes.mcp.checks.periodic import Told, Trouble, named, worst_first
from lifesign.probes.mcp.checks.placeholders import filled
from lifesign.probes.mcp.client.answers import Answer, Exchange
from lifesign.probes.mcp.client.mirrors import mirrored, read_mirrors
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Era, Fault, Notice
from lifesign.probes.mcp.sheet import failed

CLEANUP_S = 5.0
CLEANUP_SHARE = 0.25
"""What is kept back of the time for clean-up steps: at most this much, at most this share."""

EXCUSED_S = 0.1
"""A canary that lost less than this of its time has nothing to excuse."""

MAX_TAKEN = 16 * 1024
"""Characters of a value that is taken for a later call: an id or a cursor, no document."""

Tools = Mapping[str, Mapping[str, object]]


def refusal(canary: Canary, listed: Tools) -> Failure | None:
    """Why this canary must not be run at all: a tool that is not listed, or that may write without leave."""
    for step in canary.steps:
        tool = listed.get(step.tool)
        if tool is None:
            what = (
                f"The canary `{canary.name}` was not run: the server lists no tool `{step.tool}`."
            )
            return failed("tools_call", "tool_missing", what)
        if not only_reads(tool) and not canary.allow_writes:
            what = (
                f"The canary `{canary.name}` was not run: `{step.tool}` does not say that it only reads "
                "(annotations.readOnlyHint)."
            )
            return failed("tools_call", "not_read_only", what)
    return None


def only_reads(tool: Mapping[str, object]) -> bool:
    """Whether a tool says that it changes nothing."""
    hints = tool.get("annotations")
    return isinstance(hints, Mapping) and hints.get("readOnlyHint") is True


@dataclass(slots=True)
class Round:
    """One copy of a run. `deadline` is an instant of the loop clock that no step outlives; `number` tells copies apart."""

    visit: Visit
    canary: Canary
    listed: Tools
    clock: Clock
    deadline: float
    number: int = 1
    _known: dict[str, object] = field(default_factory=dict)
    _troubles: list[Trouble] = field(default_factory=list)
    _missing_s: float = 0.0

    async def run(self) -> Told:
        """Take the steps; never raises for what the server does."""
        started, now = time.perf_counter(), self.clock.now()
        self._known = {"run": _name_of_run(now, self.number), "now": now.isoformat()}
        until = self._until()
        has_failed = False
        for step in self.canary.steps:
            if has_failed and not step.cleanup:
                continue
            troubles = await self._take(step, self.deadline if step.cleanup else until)
            self._troubles += troubles
            has_failed = has_failed or any(each.level is Level.FAIL for each in troubles)
        duration_ms = round((time.perf_counter() - started) * 1000, 3)
        return Told({"duration_ms": duration_ms}, worst_first(self._troubles))

    def _until(self) -> float:
        """When everything but cleaning up must be done."""
        now = asyncio.get_running_loop().time()
        own, end = now + self.canary.timeout.total_seconds(), self.deadline
        if any(step.cleanup for step in self.canary.steps):
            end -= min(CLEANUP_S, CLEANUP_SHARE * (end - now))
        self._missing_s = max(own - end, 0.0)
        return min(own, end)

    async def _take(self, step: Step, until: float) -> tuple[Trouble, ...]:
        try:
            arguments = cast("dict[str, Any]", filled(step.arguments, self._known))
        except KeyError:
            # Only a clean-up step gets here: what it would remove was never made.
            return ()
        if step.poll is None:
            return await self._call(step, arguments, until)
        return await self._poll(step, step.poll, arguments, until)

    async def _poll(
        self, step: Step, poll: Poll, arguments: dict[str, Any], until: float
    ) -> tuple[Trouble, ...]:
        loop, every_s = asyncio.get_running_loop(), poll.every.total_seconds()
        until = min(until, loop.time() + poll.within.total_seconds())
        calls = 0
        while True:
            calls += 1
            troubles = await self._call(step, arguments, until)
            if all(trouble.level is Level.INFO for trouble in troubles):
                return troubles
            if loop.time() + every_s >= until:
                return _still(troubles, calls)
            await asyncio.sleep(every_s)

    async def _call(
        self, step: Step, arguments: dict[str, Any], until: float
    ) -> tuple[Trouble, ...]:
        tool, who = self.listed[step.tool], f"Canary `{self.canary.name}`"
        call = _Call(self.visit, step.tool, arguments, tool)
        try:
            result, answer = await call.make(until)
        except NetError as error:
            failure = named(_called(error.failure), who)
            return (Trouble(Level.FAIL, self._excused(failure)),)
        violation = await self._violation(step, tool, result)
        expected = Expected(step.conditions(), violation)
        objections = judge_result(result, expected, self.clock.now())
        evidence = call.exchange.evidence(answer) if objections else ""
        troubles = [
            _trouble(each, f"{who}: `{step.tool}` {each.what}.", evidence) for each in objections
        ]
        if not any(each.level is Level.FAIL for each in objections):
            troubles += self._keep(step, result, evidence or call.exchange.evidence(answer))
        return tuple(troubles)

    def _excused(self, failure: Failure) -> Failure:
        """A time-out that came early because the probe had no more time says so: the tool may be well."""
        if failure.code != "tool_timeout" or self._missing_s < EXCUSED_S:
            return failure
        whole_s = self.canary.timeout.total_seconds()
        what = f"{failure.message} Of its {whole_s:g} s, {self._missing_s:.1f} s lay beyond the end of this probe."
        remedy = "Give this monitor a longer time-out, or the canary a shorter one."
        return failed("tools_call", "tool_timeout", what, evidence=failure.evidence, remedy=remedy)

    async def _violation(self, step: Step, tool: Mapping[str, object], result: CallResult) -> str:
        schema = tool.get("outputSchema")
        is_checked = step.output_schema and isinstance(schema, dict) and not result.fault
        if not is_checked or result.is_error or result.wants_input:
            return ""
        if isinstance(result.structured, Absent):
            return "there is none"
        checked = cast("dict[str, Any]", schema)
        return await asyncio.to_thread(find_violation, checked, result.structured)

    def _keep(self, step: Step, result: CallResult, evidence: str) -> list[Trouble]:
        """Take what later steps need; what is not there is a failure of this step."""
        troubles: list[Trouble] = []
        for name, source in step.take.items():
            value = _value(result, source, self.clock.now())
            if isinstance(value, Absent) or len(str(value)) > MAX_TAKEN:
                why = value.why if isinstance(value, Absent) else "more than can be passed on"
                objection = Objection(Level.FAIL, "assertion_failed", "")
                what = f"Canary `{self.canary.name}`: `{step.tool}` was to give `{name}` ({source}) and gave {why}."
                troubles.append(_trouble(objection, what, evidence))
            else:
                self._known[name] = value
        return troubles


@dataclass(slots=True)
class _Call:
    """One tools/call. `exchange` is how its answer is told."""

    visit: Visit
    name: str
    arguments: Mapping[str, Any]
    tool: Mapping[str, object]
    exchange: Exchange = field(init=False)
    _first_at: float = 0.0

    async def make(self, until: float) -> tuple[CallResult, Answer]:
        """Call and read the result. Raises `NetError`."""
        visit = self.visit
        message = visit.message(
            "tools/call",
            {"name": self.name, "arguments": self.arguments},
            step="tools_call",
            name=self.name,
            deadline=until,
            on_notice=self._note,
            headers=self._headers(),
        )
        message = replace(message, repeatable=only_reads(self.tool))
        self.exchange = visit.line.exchange(message)
        started = time.perf_counter()
        answer = await visit.line.send(message)
        ended = visit.line.replied_at or time.perf_counter()
        first = self._first_at or ended
        timing = Timing((ended - started) * 1000, (first - started) * 1000)
        return read_result(visit.result_of(message, answer).raw, timing), answer

    def _note(self, _notice: Notice) -> None:
        self._first_at = self._first_at or time.perf_counter()

    def _headers(self) -> dict[str, str]:
        """The arguments that the tool wants as headers too; the older era knows of none."""
        if self.visit.era is Era.LEGACY:
            return {}
        mirrors = read_mirrors(self.tool.get("inputSchema"))
        return {} if isinstance(mirrors, Fault) else dict(mirrored(mirrors, self.arguments))


def _name_of_run(now: datetime, number: int) -> str:
    """A name for what one run makes, unlike that of any other run or copy."""
    return f"lifesign-{int(now.timestamp() * 1000)}-{number}"


def _value(result: CallResult, source: str, now: datetime) -> object:
    if source.startswith("$"):
        return walk(result.seen.content.get("json", Absent()), compile_path(source))
    return result.value_of(compile_condition(f"exists({source})"), now)


def _called(failure: Failure) -> Failure:
    """Silence and a refused request are told as what the tool did; trouble below stays what it is."""
    if failure.layer == "jsonrpc":
        return failed("tools_call", "error", failure.message, evidence=failure.evidence)
    if failure.code in {"first_byte_timeout", "read_timeout"}:
        return failed("tools_call", "tool_timeout", failure.message, evidence=failure.evidence)
    return failure


def _trouble(objection: Objection, what: str, evidence: str) -> Trouble:
    failure = failed("tools_call", objection.code, what, evidence=evidence)
    return Trouble(objection.level, failure)


def _still(troubles: tuple[Trouble, ...], calls: int) -> tuple[Trouble, ...]:
    """What was wrong at the end of polling, told as that."""
    if calls == 1:
        return troubles
    return tuple(
        Trouble(each.level, named(each.failure, f"After {calls} calls")) for each in troubles
    )

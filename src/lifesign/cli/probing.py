"""One probe from the command line: what is asked, and what came of it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from lifesign.clock import SystemClock
from lifesign.core.condition import Condition, compile_condition
from lifesign.core.errors import InvalidError
from lifesign.core.model import Check, Finding, Observation, Outcome
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.once import observe
from lifesign.probes.registry import Kind, ProbeContext
from lifesign.probes.subjects import require_known
from lifesign.service.settings import SettingsError, parse_settings


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be probed, and what is expected of it."""

    kind: Kind
    settings: BaseModel
    conditions: tuple[Condition, ...]
    timeout_s: float

    @property
    def target(self) -> str:
        """The target as people see it."""
        return self.kind.target(self.settings)


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it."""

    observation: Observation
    outcome: Outcome
    started_at: datetime
    duration_ms: float


def question_of(
    kind: Kind, given: Mapping[str, object], expect: Sequence[str], timeout_s: float | None
) -> Question:
    """The question that a kind and settings make; without a time-out, the kind's own holds. Raises InvalidError."""
    try:
        settings = parse_settings(kind.settings, given, prefix="")
    except SettingsError as error:
        raise InvalidError(
            f"The settings of kind {kind.name} cannot be used.", problems=error.problems
        ) from None
    asked = tuple([compile_condition(text) for text in expect])
    require_known(kind, asked)
    implied = tuple([compile_condition(text) for text in kind.implied(settings)])
    return Question(kind, settings, (*implied, *asked), timeout_s or kind.timeout_s)


async def ask(question: Question) -> Finished:
    """Probe once. Whoever types a command may run it, so programs are started here."""
    clock = SystemClock()
    started_at, began = clock.now(), time.perf_counter()
    deadline = asyncio.get_running_loop().time() + question.timeout_s
    context = ProbeContext(net=Net.open(), clock=clock, deadline=deadline, may_spawn=True)
    observation = await observe(question.kind, question.settings, context)
    duration_ms = (time.perf_counter() - began) * 1000
    outcome = assess(observation, question.conditions)
    return Finished(observation, outcome, started_at, duration_ms)


def findings_of(finished: Finished) -> list[Finding]:
    """What the probe found, and every other condition that does not hold."""
    told = finished.outcome.failure
    missed = [_as_finding(check) for check in finished.outcome.checks if not check.holds]
    others = [found for found in missed if told is None or found.message != told.message]
    return [*finished.observation.findings, *others]


def _as_finding(check: Check) -> Finding:
    message = f"Expected {check.text}, found {check.found}."
    return Finding(check.level, "condition", "not_met", message)

"""The result of one tool call: read into what conditions may ask of it, and judged. Pure.

| subject | of a result |
|---|---|
| `is_error` | whether the tool says that it failed |
| `text` | all its text blocks, joined by line breaks, at most 64 KiB |
| `json("$…")` | its structuredContent; without one, the first text block that is JSON |
| `content.count` | how many content blocks it has |
| `content.type`, `content.mime`, `content.bytes` | of the first block that is more than text, else of the first: its type, media type and size in bytes |
| `content.decodes` | whether the bytes of that block are what its media type says |
| `duration_ms`, `ttfb_ms` | until the result, and until the first message (a notification or the result) |
| `meta.degraded` | what `_meta` says of degradation, false when it says nothing |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import msgspec

from lifesign.core.condition import Condition
from lifesign.core.jsonpath import MISSING
from lifesign.core.model import Check, Level, Observation
from lifesign.probes.mcp.checks.decoding import decode

MAX_TEXT = 64 * 1024
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a call took, in milliseconds."""

    duration_ms: float
    ttfb_ms: float


@dataclass(frozen=True, slots=True)
class CallResult:
    """One result. `seen` is what conditions are held against; `structured` is `MISSING` when there is none."""

    seen: Observation
    is_error: bool = False
    wants_input: bool = False
    degraded: object = False
    structured: object = MISSING
    fault: str = ""

    def value_of(self, condition: Condition, now: datetime) -> object:
        """What a condition's subject is here."""
        return condition.look_up(self.seen, now)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a result is not good: a code of the tools_call layer, the end of a sentence, and how bad it is."""

    level: Level
    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What is asked of a result. `violation` is how it breaks the tool's outputSchema, empty when it does not."""

    conditions: tuple[Condition, ...] = ()
    violation: str = ""
    subjects: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        subjects = frozenset(condition.subject for condition in self.conditions)
        object.__setattr__(self, "subjects", subjects)


def read_result(raw: bytes, timing: Timing) -> CallResult:
    """Read the JSON text of a tools/call result; never raises, `fault` says what is wrong with its shape."""
    try:
        result = msgspec.json.decode(raw)
    except _UNREADABLE as error:
        return _unreadable(f"cannot be read as JSON ({type(error).__name__})", timing)
    if not isinstance(result, dict):
        return _unreadable("is no object", timing)
    structured = result.get("structuredContent", MISSING)
    structured = MISSING if structured is None else structured
    content = result.get("content", [] if structured is not MISSING else None)
    wants_input = result.get("resultType") == "input_required"
    if wants_input:
        content = []
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return _unreadable("has no readable `content`", timing)
    is_error, degraded = result.get("isError") is True, _degraded(result.get("_meta"))
    facts = _facts(content, timing) | {"is_error": is_error, "meta.degraded": degraded}
    document = structured if structured is not MISSING else _first_document(content)
    seen = Observation(facts, content={} if document is MISSING else {"json": document})
    return CallResult(seen, is_error, wants_input, degraded, structured)


def _unreadable(fault: str, timing: Timing) -> CallResult:
    facts = {"duration_ms": timing.duration_ms, "ttfb_ms": timing.ttfb_ms}
    return CallResult(Observation(facts), fault=fault)


def _facts(content: list[dict[str, Any]], timing: Timing) -> dict[str, object]:
    texts = [block["text"] for block in content if _is_text(block)]
    facts: dict[str, object] = {
        "text": "\n".join(texts)[:MAX_TEXT],
        "content.count": len(content),
        "duration_ms": round(timing.duration_ms, 3),
        "ttfb_ms": round(timing.ttfb_ms, 3),
    }
    return facts | (_block(_telling(content)) if content else {})


def _telling(content: list[dict[str, Any]]) -> Mapping[str, Any]:
    """The block that is looked at: a picture often comes with a line of text before it."""
    return next((block for block in content if not _is_text(block)), content[0])


def _is_text(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def _block(block: Mapping[str, Any]) -> dict[str, object]:
    """What is told of one block. Text needs no decoding, so nothing is said of it: expecting a picture then fails."""
    kind = block.get("type")
    facts: dict[str, object] = {"content.type": kind[:60]} if isinstance(kind, str) else {}
    inner = block.get("resource") if kind == "resource" else block
    if not isinstance(inner, dict):
        return facts
    mime = inner.get("mimeType")
    if isinstance(mime, str):
        facts["content.mime"] = mime[:120]
    text = inner.get("text")
    packed = inner.get("blob") if kind == "resource" else inner.get("data")
    if isinstance(text, str):
        facts["content.bytes"] = len(text.encode("utf-8", "replace"))
    elif packed is not None:
        decoded = decode(packed, mime if isinstance(mime, str) else "")
        facts |= {"content.bytes": decoded.size, "content.decodes": decoded.is_sound}
    return facts


def _first_document(content: list[dict[str, Any]]) -> object:
    for block in content:
        if _is_text(block):
            try:
                return cast("object", msgspec.json.decode(block["text"].encode("utf-8", "replace")))
            except _UNREADABLE:
                return MISSING
    return MISSING


def _degraded(meta: object) -> object:
    """The value of `degraded`, with or without a vendor's prefix (`example.com/degraded`)."""
    if not isinstance(meta, dict):
        return False
    found = (value for key, value in meta.items() if key.rpartition("/")[2] == "degraded")
    return next((value for value in found if value), False)


def judge_result(result: CallResult, expected: Expected, now: datetime) -> tuple[Objection, ...]:
    """Everything that is wrong with a result; what makes the rest pointless stands alone.

    1. A result that cannot be read, or that asks a person for input.
    2. `isError`, unless a condition asks for `is_error` itself.
    3. A structuredContent that breaks the tool's outputSchema.
    4. `_meta` says degraded, unless a condition asks for `meta.degraded` itself.
    5. The conditions, each with its own level.
    """
    if result.fault:
        return (Objection(Level.FAIL, "malformed", f"got a result that {result.fault}"),)
    if result.wants_input:
        return (Objection(Level.FAIL, "input_required", "was asked for more input"),)
    if result.is_error and "is_error" not in expected.subjects:
        return (Objection(Level.FAIL, "is_error", "was told by the tool that it failed (isError)"),)
    objections: list[Objection] = []
    if expected.violation:
        what = (
            f"got a structuredContent that is not what the outputSchema says: {expected.violation}"
        )
        objections.append(Objection(Level.FAIL, "output_schema_violation", what))
    if result.degraded and "meta.degraded" not in expected.subjects:
        what = "got a result that says it is degraded (`_meta`)"
        objections.append(Objection(Level.WARN, "degraded_result", what))
    for condition in expected.conditions:
        check = condition.hold(result.seen, now)
        if not check.holds:
            objections.append(_unmet(condition, check))
    return tuple(objections)


def _unmet(condition: Condition, check: Check) -> Objection:
    code = "stale_result" if condition.asks_age else "assertion_failed"
    return Objection(
        check.level, code, f"expected `{check.text}` and found {on_one_line(check.found)}"
    )


def on_one_line(found: str) -> str:
    """Text of a stranger's, as it may stand in a sentence: without line breaks and what steers terminals."""
    return "".join(character if character.isprintable() else " " for character in found)

"""A rich offer with real answers: what the faithful server publishes when it is asked for everything."""

import base64
import json
import zlib
from collections.abc import Mapping
from struct import pack
from typing import Any

from lifesign.testing.offer import (
    JSONObject,
    Memory,
    Offer,
    Outcome,
    Prompt,
    Resource,
    Template,
    Tool,
    text,
)
from lifesign.testing.protocol import now

JOB_POLLS = 3
"""After so many looks a job is done."""

LONGEST_WAIT_S = 60.0

DOCUMENTS = (
    {"id": "doc-1", "title": "How to keep bees"},
    {"id": "doc-2", "title": "Bees in winter"},
    {"id": "doc-3", "title": "A short history of honey"},
)


def _schema(required: tuple[str, ...] = (), **properties: str) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
    }
    return shape | ({"required": list(required)} if required else {})


def _entry(
    name: str, description: str, schema: Mapping[str, Any], *, reads: bool = True, **more: object
) -> dict[str, Any]:
    hints = {"readOnlyHint": reads, "openWorldHint": False}
    entry = {"name": name, "description": description, "inputSchema": schema, "annotations": hints}
    return entry | more


def png() -> bytes:
    """A picture of 2 × 2 red dots."""
    rows = b"".join(b"\x00" + b"\xff\x00\x00" * 2 for _ in range(2))
    parts = (
        (b"IHDR", pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    boxes = (
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(boxes)


def pdf() -> bytes:
    """A document of one empty page."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>",
    )
    document, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(document))
        document += b"%d 0 obj%sendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return document + (
        b"xref\n0 4\n0000000000 65535 f \n%strailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
        % (table, len(document))
    )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _structured(document: object) -> Outcome:
    return Outcome((text(json.dumps(document)),), document)


def _echo(arguments: JSONObject, _: Memory) -> Outcome:
    return Outcome((text(str(arguments.get("text", ""))),))


def _add(arguments: JSONObject, _: Memory) -> Outcome:
    try:
        total = arguments["a"] + arguments["b"]
    except (KeyError, TypeError):
        return Outcome((text("Give two numbers, a and b."),), is_error=True)
    return _structured({"sum": total})


def _search(arguments: JSONObject, _: Memory) -> Outcome:
    wanted = str(arguments.get("query", "")).lower()
    found = [document for document in DOCUMENTS if wanted in document["title"].lower()]
    return _structured({"total_results": len(found), "results": found})


def _picture(_: JSONObject, __: Memory) -> Outcome:
    return Outcome(({"type": "image", "data": _encoded(png()), "mimeType": "image/png"},))


def _document(_: JSONObject, __: Memory) -> Outcome:
    held = {
        "uri": "lifesign://report.pdf",
        "mimeType": "application/pdf",
        "blob": _encoded(pdf()),
    }
    return Outcome(({"type": "resource", "resource": held},))


def _wait(arguments: JSONObject, _: Memory) -> Outcome:
    seconds = arguments.get("seconds", 1)
    is_number = isinstance(seconds, int | float) and 0 <= seconds <= LONGEST_WAIT_S
    if not is_number:
        return Outcome((text(f"Give seconds from 0 to {LONGEST_WAIT_S:g}."),), is_error=True)
    return Outcome((text(f"Waited {seconds:g} s."),), seconds=float(seconds))


def _count(arguments: JSONObject, _: Memory) -> Outcome:
    steps = arguments.get("steps", 3)
    steps = steps if isinstance(steps, int) and 1 <= steps <= 100 else 3
    return Outcome((text(f"Counted to {steps}."),), seconds=0.05, progress=steps)


def _clock(_: JSONObject, __: Memory) -> Outcome:
    return _structured({"now": now().isoformat()})


def _write(arguments: JSONObject, memory: Memory) -> Outcome:
    memory.notes[str(arguments.get("name", ""))] = str(arguments.get("text", ""))
    return Outcome((text("Written."),))


def _read(arguments: JSONObject, memory: Memory) -> Outcome:
    note = memory.notes.get(str(arguments.get("name", "")))
    return Outcome((text("No such note." if note is None else note),), is_error=note is None)


def _delete(arguments: JSONObject, memory: Memory) -> Outcome:
    gone = memory.notes.pop(str(arguments.get("name", "")), None)
    return Outcome((text("No such note." if gone is None else "Deleted."),), is_error=gone is None)


def _start(_: JSONObject, memory: Memory) -> Outcome:
    job = f"job-{len(memory.jobs) + 1}"
    memory.jobs[job] = 0
    return _structured({"job": job, "status": "running"})


def _look(arguments: JSONObject, memory: Memory) -> Outcome:
    job = str(arguments.get("job", ""))
    if job not in memory.jobs:
        return Outcome((text("No such job."),), is_error=True)
    memory.jobs[job] += 1
    done = memory.jobs[job] >= JOB_POLLS
    return _structured({"job": job, "status": "done" if done else "running"})


ECHO = _entry("echo", "Says what it was told.", _schema(text="string"))

_SEARCHED = _schema(("total_results", "results"), total_results="integer", results="array")

TOOLS = (
    Tool(ECHO, _echo),
    Tool(
        _entry(
            "add", "Adds two numbers.", _schema(("a", "b"), a="number", b="number"),
            outputSchema=_schema(("sum",), sum="number"),
        ),
        _add,
    ),
    Tool(
        _entry(
            "search_documents", "Finds documents by their title.",
            _schema(("query",), query="string"), outputSchema=_SEARCHED,
        ),
        _search,
    ),
    Tool(_entry("picture", "A small PNG image.", _schema()), _picture),
    Tool(_entry("document", "A PDF of one page.", _schema()), _document),
    Tool(_entry("wait", "Answers after some seconds.", _schema(seconds="number")), _wait),
    Tool(_entry("count", "Counts, and reports its progress.", _schema(steps="integer")), _count),
    Tool(
        _entry("clock", "The present time.", _schema(), outputSchema=_schema(("now",), now="string")),
        _clock,
    ),
    Tool(
        _entry(
            "write_note", "Keeps a note.", _schema(("name", "text"), name="string", text="string"),
            reads=False,
        ),
        _write,
    ),
    Tool(_entry("read_note", "Reads a note.", _schema(("name",), name="string")), _read),
    Tool(
        _entry("delete_note", "Forgets a note.", _schema(("name",), name="string"), reads=False),
        _delete,
    ),
    Tool(_entry("start_job", "Starts a job.", _schema(), reads=False), _start),
    Tool(
        _entry("job_status", "How far a job is.", _schema(("job",), job="string")),
        _look,
    ),
)  # fmt: skip


def _status() -> JSONObject:
    document = {"status": "ok", "updatedAt": now().isoformat()}
    return {"mimeType": "application/json", "text": json.dumps(document)}


def _greet(arguments: JSONObject) -> tuple[JSONObject, ...]:
    words = text(f"Please greet {arguments.get('name') or 'the visitor'} warmly.")
    return ({"role": "user", "content": words},)


RESOURCES = (
    Resource(
        {"uri": "lifesign://status", "name": "status", "mimeType": "application/json"},
        _status,
    ),
    Resource(
        {"uri": "lifesign://readme", "name": "readme", "mimeType": "text/plain"},
        lambda: {"mimeType": "text/plain", "text": "All is well."},
    ),
    Resource(
        {"uri": "lifesign://picture", "name": "picture", "mimeType": "image/png"},
        lambda: {"mimeType": "image/png", "blob": _encoded(png())},
    ),
)

_DOCUMENTS_AT = "lifesign://documents/"


def _document_at(uri: str) -> JSONObject | None:
    named = uri.removeprefix(_DOCUMENTS_AT)
    found = next((each["title"] for each in DOCUMENTS if each["id"] == named), None)
    is_ours = uri.startswith(_DOCUMENTS_AT) and found is not None
    return {"mimeType": "text/plain", "text": found} if is_ours else None


TEMPLATES = (
    Template(
        {"uriTemplate": _DOCUMENTS_AT + "{id}", "name": "document", "mimeType": "text/plain"},
        _document_at,
    ),
)

PROMPTS = (
    Prompt(
        {
            "name": "greet",
            "description": "Greets somebody.",
            "arguments": [{"name": "name", "description": "Who is greeted.", "required": False}],
        },
        _greet,
    ),
)

EVERYTHING = Offer(
    TOOLS, RESOURCES, TEMPLATES, PROMPTS,
    words=("Ada", "Alan", "Barbara", "Grace"),
    instructions="Ask echo to say something.",
)  # fmt: skip
"""Thirteen tools, three resources, a template, a prompt and completions."""

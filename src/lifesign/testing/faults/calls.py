"""Faults of what is behind the lists: tools that are called, resources, prompts, completions, sessions and streams."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lifesign.testing.answers import Answer, Call, altered, as_json, error, events, merged
from lifesign.testing.everything import EVERYTHING
from lifesign.testing.faults.fault import Fault, fault
from lifesign.testing.protocol import Era, Transport, now

SEARCH = "a call of `search_documents` with the query `bees`"
CLOCK = "a call of `clock` whose `now` must be young"
COUNT = "a call of `count` with a progress token"
READ = "that `lifesign://status` is read, and its `updatedAt` must be young"
PROMPT = "that the prompt `greet` is expanded"
COMPLETION = "a completion for the prompt `greet`"
STREAM = "that a GET stream is held open for longer than it may be silent"

_HANG = Answer(is_silent=True)
_OLD = timedelta(days=1)


def _structured(document: object, **more: object) -> Callable[[Call], Answer]:
    """The faithful result of a call with another content."""
    words = {"type": "text", "text": json.dumps(document)}
    return merged(content=[words], structuredContent=document, **more)


def _yesterday(call: Call) -> Answer:
    return _structured({"now": (now() - _OLD).isoformat()})(call)


def _old_contents(call: Call) -> Answer:
    old = json.dumps({"status": "ok", "updatedAt": (now() - _OLD).isoformat()})

    def change(result: dict[str, Any]) -> object:
        return result | {"contents": [found | {"text": old} for found in result["contents"]]}

    return altered(change)(call)


def _except_search() -> tuple[object, ...]:
    return tuple(tool for tool in EVERYTHING.tools if tool.name != "search_documents")


def _unhinted() -> tuple[object, ...]:
    return tuple(
        {key: value for key, value in tool.listed.items() if key != "annotations"}
        for tool in EVERYTHING.tools
    )


def _asks_a_person(call: Call) -> Answer:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    asked = {"method": "elicitation/create", "params": {"message": "Who are you?", "requestedSchema": schema}}  # fmt: skip
    wanted = {"resultType": "input_required", "inputRequests": {"who": asked}}
    return merged(content=None, isError=None, structuredContent=None, **wanted)(call)


def _held_back(call: Call) -> Answer:
    """Progress and result in one piece, after the time that the call took."""
    answer = call.faithful()
    if answer.chunks is None:
        return answer
    parts = tuple(answer.chunks)
    seconds = sum(part for part in parts if isinstance(part, float))
    return events(seconds, b"".join(part for part in parts if isinstance(part, bytes)))


def _gone(_: Call) -> Answer:
    wrong = {"code": -32001, "message": "Session not found"}
    return as_json({"jsonrpc": "2.0", "id": None, "error": wrong}, 404)


def _unframed(call: Call) -> Answer:
    return events((call.faithful().body or b"") + b"\n\n")


CALLS: tuple[Fault, ...] = (
    fault("tools_call/tool_missing", "does not list `search_documents`.", needs=SEARCH, tools=_except_search()),
    fault("tools_call/not_read_only", "does not say of any tool that it only reads.", needs=SEARCH, tools=_unhinted()),
    fault("tools_call/error", "answers calls with −32603.", needs=SEARCH, tools_call=error(-32603, "Internal error")),
    fault("tools_call/malformed", "answers calls with text where a list of content is due.", needs=SEARCH, tools_call=merged(content="Two documents.", structuredContent=None)),
    fault("tools_call/is_error", "says in each result that the tool failed.", needs=SEARCH, tools_call=merged(isError=True, structuredContent=None)),
    fault("tools_call/assertion_failed", "finds no document.", needs=SEARCH, tools_call=_structured({"total_results": 0, "results": []})),
    fault("tools_call/stale_result", "answers with the time of yesterday.", needs=CLOCK, tools_call=_yesterday),
    fault("tools_call/degraded_result", "says in `_meta` that it is degraded.", needs=SEARCH, tools_call=merged(_meta={"degraded": True, "reason": "index rebuilding"})),
    fault("tools_call/input_required", "wants input of a person in answer to a call.", needs=SEARCH, era=Era.MODERN, tools_call=_asks_a_person),
    fault("tools_call/output_schema_violation", "answers with structured content that breaks the tool's outputSchema.", needs=SEARCH, tools_call=_structured({"total_results": "two", "results": []})),
    fault("tools_call/tool_timeout", "never answers calls.", needs=SEARCH, tools_call=_HANG),
)  # fmt: skip

PRIMITIVES: tuple[Fault, ...] = (
    fault("resources/error", "declares resources and fails at listing them (−32603).", resources_list=error(-32603, "Internal error")),
    fault("resources/stale", "serves a resource of yesterday.", needs=READ, resources_read=_old_contents),
    fault("resources/hang", "never answers resources/list.", resources_list=_HANG),
    fault("prompts/error", "declares prompts and fails at expanding one (−32603).", needs=PROMPT, prompts_get=error(-32603, "Internal error")),
    fault("prompts/empty", "expands a prompt to no message.", needs=PROMPT, prompts_get=merged(messages=[])),
    fault("prompts/hang", "never answers prompts/get.", needs=PROMPT, prompts_get=_HANG),
    fault("completion/error", "declares completions and fails at one (−32603).", needs=COMPLETION, completion=error(-32603, "Internal error")),
    fault("completion/slow", "never answers completion/complete.", needs=COMPLETION, completion=_HANG),
)  # fmt: skip

STREAMS: tuple[Fault, ...] = (
    fault("session/session_lost", "does not know its session any more at tools/list (404).", tools_list=_gone),
    fault("session/session_rejected", "refuses its new session at once (404).", initialized=_gone, tools_list=_gone),
    fault("session/sse_no_endpoint", "opens the old event stream and never names the address for messages.", transport=Transport.SSE, stream=events(then="comments")),
    fault(
        "session/sse_foreign_endpoint", "names an address of another host on the old event stream.", transport=Transport.SSE,
        stream=events(b"event: endpoint\ndata: http://other.example/message?sessionId=1\n\n", then="hang"),
    ),
    fault("session/sse_bad_framing", "writes messages into an event stream without `data:`.", initialize=_unframed),
    fault("session/sse_closed", "closes event streams without the reply.", initialize=events(b": hello\n\n")),
    fault("session/sse_buffered", "holds progress back until the result is there.", needs=COUNT, tools_call=_held_back),
    fault("session/no_keepalive", "is silent on open streams.", needs=STREAM, keepalive=None),
)  # fmt: skip

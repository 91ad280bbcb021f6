"""What the protocol's conformance suite expects a server to offer: its fixtures, in our words."""

import base64
import json

from lifesign.testing import Offer, Outcome, Prompt, Resource, Template, Tool, text
from lifesign.testing.everything import png
from lifesign.testing.offer import JSONObject

PICTURE = {"type": "image", "data": base64.b64encode(png()).decode(), "mimeType": "image/png"}
SOUND = {"type": "audio", "data": base64.b64encode(b"RIFF").decode(), "mimeType": "audio/wav"}


def _resource(uri: str, kind: str, words: str) -> JSONObject:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


EMBEDDED = _resource("test://embedded-resource", "text/plain", "This is an embedded resource.")
MIXED = _resource("test://mixed-content-resource", "application/json", '{"test":"data"}')


def _tool(name: str, outcome: Outcome) -> Tool:
    listed = {"name": name, "description": name, "inputSchema": {"type": "object"}}
    return Tool(listed, lambda _, __: outcome)


def _prompt(name: str, *arguments: str) -> Prompt:
    needed = [{"name": argument, "required": True} for argument in arguments]

    def expand(given: JSONObject) -> list[JSONObject]:
        contents = [text(f"{name}: {json.dumps(dict(given))}")]
        if "image" in name:
            contents.append(PICTURE)
        if "resource" in name:
            contents.append(_resource(str(given.get("resourceUri")), "text/plain", "Embedded."))
        return [{"role": "user", "content": content} for content in contents]

    return Prompt({"name": name, "description": name, "arguments": needed}, expand)


def _from_template(uri: str) -> JSONObject | None:
    named = uri.removeprefix("test://template/").removesuffix("/data")
    is_ours = uri == f"test://template/{named}/data"
    return {"mimeType": "application/json", "text": f'{{"id": "{named}"}}'} if is_ours else None


FIXTURES = Offer(
    tools=(
        _tool("test_simple_text", Outcome((text("This is a simple text response for testing."),))),
        _tool("test_image_content", Outcome((PICTURE,))),
        _tool("test_audio_content", Outcome((SOUND,))),
        _tool("test_embedded_resource", Outcome((EMBEDDED,))),
        _tool("test_multiple_content_types", Outcome((text("Several:"), PICTURE, MIXED))),
        _tool("test_error_handling", Outcome((text("This tool fails."),), is_error=True)),
        _tool("test_tool_with_progress", Outcome((text("Done."),), seconds=0.05, progress=3)),
    ),
    resources=(
        Resource(
            {"uri": "test://static-text", "name": "text", "mimeType": "text/plain"},
            lambda: {"mimeType": "text/plain", "text": "This is the static text resource."},
        ),
        Resource(
            {"uri": "test://static-binary", "name": "binary", "mimeType": "image/png"},
            lambda: {"mimeType": "image/png", "blob": PICTURE["data"]},
        ),
    ),
    templates=(
        Template({"uriTemplate": "test://template/{id}/data", "name": "data"}, _from_template),
    ),
    prompts=(
        _prompt("test_simple_prompt"),
        _prompt("test_prompt_with_arguments", "arg1", "arg2"),
        _prompt("test_prompt_with_embedded_resource", "resourceUri"),
        _prompt("test_prompt_with_image"),
    ),
    words=("paris", "park", "party"),
)
"""The fixtures of the scenarios that need no person, no model and no logging of the client's."""

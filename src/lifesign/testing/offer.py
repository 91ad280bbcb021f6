"""What a server has to offer: tools, resources, templates and prompts, and how their lists are cut into pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

JSONObject: TypeAlias = Mapping[str, Any]

ANYTHING: JSONObject = {"type": "object"}


@dataclass
class Memory:
    """What the tools of one server remember between calls."""

    notes: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a tool came to. It takes `seconds`, and reports `progress` so many times before its result."""

    content: Sequence[JSONObject] = ()
    structured: Any = None
    is_error: bool = False
    seconds: float = 0.0
    progress: int = 0

    @property
    def result(self) -> dict[str, Any]:
        """The result of `tools/call`."""
        result: dict[str, Any] = {"content": list(self.content), "isError": self.is_error}
        return result | ({} if self.structured is None else {"structuredContent": self.structured})


Act: TypeAlias = Callable[[JSONObject, Memory], Outcome]


def text(words: str) -> JSONObject:
    """A block of text."""
    return {"type": "text", "text": words}


def _says_it_was_called(arguments: JSONObject, _: Memory) -> Outcome:
    return Outcome((text(f"Called with {sorted(arguments)}."),))


@dataclass(frozen=True)
class Tool:
    """A tool: `listed` is its entry in the list, `act` what it does."""

    listed: JSONObject
    act: Act = _says_it_was_called

    @property
    def name(self) -> str:
        """Its name; empty when the entry has none."""
        return str(self.listed.get("name", ""))


@dataclass(frozen=True)
class Resource:
    """A resource: its entry in the list, and its contents at this moment."""

    listed: JSONObject
    read: Callable[[], JSONObject]


@dataclass(frozen=True)
class Template:
    """A template of addresses: its entry in the list, and the contents at an address; None for one that is not its own."""

    listed: JSONObject
    read: Callable[[str], JSONObject | None]


@dataclass(frozen=True)
class Prompt:
    """A prompt: its entry in the list, and its messages for some arguments."""

    listed: JSONObject
    expand: Callable[[JSONObject], Sequence[JSONObject]]


@dataclass(frozen=True)
class Offer:
    """Everything that a server publishes. `words` are what completions choose from."""

    tools: tuple[Tool, ...] = ()
    resources: tuple[Resource, ...] = ()
    templates: tuple[Template, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    words: tuple[str, ...] = ()
    instructions: str = ""

    @property
    def capabilities(self) -> dict[str, Any]:
        """What is declared for it."""
        named = {
            "tools": self.tools,
            "resources": self.resources or self.templates,
            "prompts": self.prompts,
            "completions": self.words,
        }
        return {name: {} for name, offered in named.items() if offered}

    def tool(self, name: object) -> Tool | None:
        """The tool of this name."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def contents(self, uri: object) -> JSONObject | None:
        """What is at this address, by a resource or by a template; None for nothing."""
        for resource in self.resources:
            if resource.listed["uri"] == uri:
                return resource.read()
        made = (template.read(str(uri)) for template in self.templates)
        return next((found for found in made if found is not None), None)

    def prompt(self, name: object) -> Prompt | None:
        """The prompt of this name."""
        return next((prompt for prompt in self.prompts if prompt.listed["name"] == name), None)

    def listing(self, method: str) -> tuple[str, tuple[JSONObject, ...]]:
        """The key and the entries of a list method."""
        return {
            "tools/list": ("tools", tuple(tool.listed for tool in self.tools)),
            "resources/list": ("resources", tuple(found.listed for found in self.resources)),
            "resources/templates/list": (
                "resourceTemplates",
                tuple(template.listed for template in self.templates),
            ),
            "prompts/list": ("prompts", tuple(prompt.listed for prompt in self.prompts)),
        }[method]


def opened(value: object) -> JSONObject:
    """A JSON object; empty for whatever else came in its place."""
    return value if isinstance(value, Mapping) else {}


def as_tools(tools: Sequence[JSONObject | Tool]) -> tuple[Tool, ...]:
    """Tools, of which some may be bare entries of a list."""
    return tuple(tool if isinstance(tool, Tool) else Tool(tool) for tool in tools)


def page_of(
    entries: Sequence[JSONObject], cursor: object, size: int
) -> tuple[list[JSONObject], str | None]:
    """One page and the cursor of the next; raises `ValueError` for a cursor that was never given."""
    start = int(str(cursor)) if cursor else 0
    if start < 0:
        raise ValueError(f"no page begins at {start}")
    end = start + size
    return list(entries[start:end]), str(end) if end < len(entries) else None

"""What a server publishes, as one document with a name: the same for every era, transport, order and paging.

The document holds the four lists, the instructions, who the server is and what it offers. What is left out, and why:
- transport noise: `_meta`, `nextCursor`, `ttlMs`, `cacheScope`, `resultType`, and `icons`, which no caller relies on;
- what only one era or transport knows: the protocol version, a tool's `execution`, the flags within capabilities
  (`listChanged`, `subscribe`), and the capabilities `logging`, `tasks`, `experimental` and `extensions`;
- a resource's `size` and `annotations.lastModified`, which follow its content and not the contract;
- members that no revision of the protocol defines, because only some libraries pass them on.

The digest names what callers rely on: the document without the server's version and the capabilities. A release that
changes nothing but its version number is no drift; `compare` still tells of it, and the `surface` hash covers it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from lifesign.core.drift.canonical import Plain, encode, normal
from lifesign.core.drift.schemas import structure
from lifesign.core.model import Surface

VERSION = "v1"
"""The algorithm: whatever changes a digest of an unchanged server changes this too."""

LISTS: Mapping[str, str] = MappingProxyType(
    {
        "tools": "name",
        "resources": "uri",
        "resourceTemplates": "uriTemplate",
        "prompts": "name",
    }
)
"""The four lists, and the member that names an item of each."""

_TEXTS = ("name", "title", "description")
_MEMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tools": (*_TEXTS, "inputSchema", "outputSchema", "annotations"),
        "resources": (*_TEXTS, "uri", "mimeType", "annotations"),
        "resourceTemplates": (*_TEXTS, "uriTemplate", "mimeType", "annotations"),
        "prompts": (*_TEXTS, "arguments"),
    }
)
_OFFERS = ("completions", "prompts", "resources", "tools")
_IDENTITY = ("name", "title", "version")
_ITEM_DEPTH = 2
"""An item stands in a list in the document."""


def surface_of(parts: Mapping[str, object], *, audience: str = "") -> Surface:
    """The surface that decoded JSON makes up.

    `parts` are `tools`, `resources`, `resourceTemplates`, `prompts` (each merged over all pages), `capabilities`,
    `serverInfo` and `instructions`; any may be absent. What is no list, or no object within a list, is left out: the
    shape checks have their own words for it. Raises TooDeepError for a schema beyond 500 levels. A list of 31 tools
    (50 KB) costs 1.2 ms, one of 10,000 some 500 ms (measured), which belongs in a thread.
    """
    whole = _whole(parts)
    return Surface(_digest(whole), _hashes(whole), encode(whole), audience)


def digest_of(document: bytes) -> str:
    """The digest of a document that `surface_of` wrote."""
    return _digest(normal(msgspec.json.decode(document)))


def tool_hashes(document: bytes) -> Mapping[str, str]:
    """The `full` hash of each tool by name; tools that share a name are told apart as `name`, `name (2)`, …."""
    hashes: dict[str, str] = {}
    for tool in _objects(msgspec.json.decode(document).get("tools")):
        name, count = str(tool.get("name", "")), 2
        unique = name
        while unique in hashes:
            unique, count = f"{name} ({count})", count + 1
        hashes[unique] = _hash(encode(normal(tool, depth=_ITEM_DEPTH)))
    return MappingProxyType(hashes)


def _whole(parts: Mapping[str, object]) -> dict[str, Plain]:
    """The document's normal form; its own keys stand sorted here."""
    said = parts.get("instructions")
    whole: dict[str, Plain] = {
        "capabilities": {name: {} for name in _OFFERS if _offers(parts, name)},
        "instructions": normal(said) if isinstance(said, str) else "",
        "prompts": _items("prompts", parts),
        "resourceTemplates": _items("resourceTemplates", parts),
        "resources": _items("resources", parts),
        "serverInfo": normal(_picked(parts.get("serverInfo"), _IDENTITY)),
        "tools": _items("tools", parts),
    }
    return whole


def _offers(parts: Mapping[str, object], name: str) -> bool:
    capabilities = parts.get("capabilities")
    return isinstance(capabilities, Mapping) and capabilities.get(name) is not None


def _items(kind: str, parts: Mapping[str, object]) -> list[Plain]:
    """One list: each item in its normal form, sorted by name and then by its own text."""
    items = [_item(kind, each) for each in _objects(parts.get(kind))]
    named = [(str(item.get(LISTS[kind], "")), encode(item), item) for item in items]
    named.sort(key=lambda each: each[:2])
    return [item for _, _, item in named]


def _item(kind: str, published: Mapping[str, object]) -> dict[str, Plain]:
    members = _picked(published, _MEMBERS[kind])
    annotations = members.get("annotations")
    if kind != "tools" and isinstance(annotations, Mapping):
        kept = {name: each for name, each in annotations.items() if name != "lastModified"}
        members["annotations"] = kept or None
    item = normal(members, depth=_ITEM_DEPTH)
    return item if isinstance(item, dict) else {}


def _picked(value: object, names: Sequence[str]) -> dict[str, object]:
    given = value if isinstance(value, Mapping) else {}
    return {name: given[name] for name in names if name in given}


def _objects(value: object) -> list[Mapping[str, object]]:
    items = value if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, Mapping)]


def _digest(whole: Plain) -> str:
    members = dict(whole) if isinstance(whole, dict) else {}
    members.pop("capabilities", None)
    info = members.get("serverInfo")
    if isinstance(info, dict):
        members["serverInfo"] = {name: each for name, each in info.items() if name != "version"}
    return _hash(encode(members))


def _hashes(whole: Mapping[str, Plain]) -> dict[str, str]:
    """The six hashes: what is named, what breaks callers, the whole input contract, all text, tool by tool, the rest."""
    listed = whole["tools"]
    tools = [tool for tool in listed if isinstance(tool, dict)] if isinstance(listed, list) else []
    contract: list[Plain] = [_only(tool, ("inputSchema", "name")) for tool in tools]
    struct = sorted(encode(_structural(tool)) for tool in tools)
    each = sorted(_hash(encode(tool)) for tool in tools)
    rest = {name: part for name, part in whole.items() if name != "tools"}
    return {
        "names": _hash(encode([tool.get("name") for tool in tools])),
        "struct": _hash(_joined(struct)),
        "contract": _hash(_joined(sorted(encode(item) for item in contract))),
        "full": _hash(encode(whole["tools"])),
        "tools": _hash("\n".join(each).encode()),
        "surface": _hash(encode(rest)),
    }


def _only(item: Mapping[str, Plain], names: Sequence[str]) -> dict[str, Plain]:
    return {name: item[name] for name in names if name in item}


def _structural(tool: Mapping[str, Plain]) -> dict[str, Plain]:
    return {"inputSchema": structure(tool.get("inputSchema")), "name": tool.get("name")}


def _joined(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _hash(content: bytes) -> str:
    return f"{VERSION}:{hashlib.sha256(content).hexdigest()}"

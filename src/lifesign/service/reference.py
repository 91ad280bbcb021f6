"""`docs/kinds.md`, written from the kinds themselves: `python -m lifesign.service.reference`."""

import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, TypeAdapter

from lifesign.channels.registry import ChannelKind, load_channel_kinds
from lifesign.core.units import format_duration
from lifesign.probes.registry import Kind, load_kinds

_INTRODUCTION = """\
# Kinds

<!-- Written by `python -m lifesign.service.reference`; edit the models of the kinds. -->

Every kind of monitor is one file under `src/lifesign/probes`, every kind of channel one file under
`src/lifesign/channels`. What stands here comes from their models, as do the forms, the schemas of the API and the
tools, and what is redacted. Durations are written `30s`, `5m` or `PT30S`. *Facts* are the names that conditions may
use, as in `status == 200` or `warn: tls.days_left > 14` ([conditions](conditions.md)).
"""


def render() -> str:
    """The whole page in Markdown."""
    kinds, channels = load_kinds(), load_channel_kinds()
    parts = [_INTRODUCTION, "## Monitors\n"]
    certificate = {row for row in _fact_rows(kinds["tls"]) if row.startswith("| `tls.")}
    for kind in kinds.values():
        parts += _monitor_kind(kind, shared=certificate if kind.name != "tls" else set())
    parts.append("## Channels\n")
    for channel in channels.values():
        parts += _channel_kind(channel)
    return "\n".join(parts).rstrip() + "\n"


def _monitor_kind(kind: Kind, *, shared: AbstractSet[str]) -> Iterator[str]:
    """The section of a kind; facts of certificates, which several kinds share, are told once, at `tls`."""
    yield f"### `{kind.name}`: {kind.title}\n"
    yield f"{kind.summary}\n"
    rungs = " → ".join(kind.ladder) or "none"
    pace = "It is told and dials nothing." if kind.passive else _pace(kind)
    yield f"Phases, in this order: {rungs}. {pace}\n"
    yield _setting_table(kind.settings)
    facts = _fact_rows(kind)
    own = [row for row in facts if row not in shared]
    if len(own) < len(facts):
        own.append(
            "| `tls.…` | What is known of the certificate: the same facts as those of `tls`. |"
        )
    yield "\n".join(["| fact | what it is |", "|---|---|", *own, *_content_rows(kind)]) + "\n"


_CONTENT = {
    "body": (
        "`body`",
        'Text. What came back; `json("$.a.b")` looks into it when it is JSON. Never stored.',
    ),
    "headers": ('`header("name")`', "Text. A header of the response. Never stored."),
    "json": ('`json("$.a.b")`', "A value inside the JSON that came back. Never stored."),
}


def _content_rows(kind: Kind) -> list[str]:
    return [
        f"| {' | '.join(_CONTENT.get(name, (f'`{name}`', 'Never stored.')))} |"
        for name in kind.content
    ]


def _pace(kind: Kind) -> str:
    policy = kind.policy
    return (
        f"Runs every {format_duration(timedelta(seconds=kind.interval_s))} unless told otherwise; "
        f"{policy.confirmations} failed runs make it down, {policy.recoveries} good ones bring it back."
    )


def _channel_kind(channel: ChannelKind) -> Iterator[str]:
    yield f"### `{channel.name}`: {channel.title}\n"
    yield f"{(channel.settings.__doc__ or '').strip().splitlines()[0]}\n"
    yield _setting_table(channel.settings)


def _setting_table(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(mode="validation")
    rows = _rows(schema, schema.get("$defs", {}), prefix="", has_default=True)
    return "\n".join(["| setting | what it is | default |", "|---|---|---|", *rows]) + "\n"


def _fact_rows(kind: Kind) -> list[str]:
    schema = kind.facts.model_json_schema(mode="serialization")
    return [*_rows(schema, schema.get("$defs", {}), prefix="", has_default=False)]


def _rows(
    schema: Mapping[str, Any], defs: Mapping[str, Any], *, prefix: str, has_default: bool
) -> Iterator[str]:
    """One row a property; the properties of an optional or plain nested model follow with dotted names."""
    required = schema.get("required", ())
    for name, declared in schema.get("properties", {}).items():
        prop = _resolved(declared, defs)
        if "properties" in prop:
            yield from _rows(prop, defs, prefix=f"{prefix}{name}.", has_default=has_default)
            continue
        text = f"{_type(prop, defs)}. {declared.get('description', '')}".replace("|", "\\|").strip()
        cells = [f"`{prefix}{name}`", " ".join(text.split())]
        if has_default:
            cells.append("required" if name in required else _default(declared))
        yield f"| {' | '.join(cells)} |"


def _resolved(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference, or behind the one that is not null of an optional."""
    if "$ref" in prop:
        return _resolved(defs[prop["$ref"].rsplit("/", 1)[-1]], defs)
    choices = [choice for choice in prop.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolved(choices[0], defs) if len(choices) == 1 else prop


_NAMES = {
    "string": "Text",
    "integer": "Whole number",
    "number": "Number",
    "boolean": "`true` or `false`",
    "object": "Mapping",
}
_FORMATS = {"duration": "Duration", "password": "Secret", "uri": "URL", "uuid": "UUID"}


def _type(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "enum" in prop:
        return " or ".join(f"`{value}`" for value in prop["enum"])
    if "const" in prop:
        return f"`{prop['const']}`"
    choices = [choice for choice in prop.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        names = [_type(_resolved(choice, defs), defs) for choice in choices]
        return " or ".join(dict.fromkeys(names))
    if prop.get("type") == "array":
        return f"List of {_type(_resolved(prop.get('items', {}), defs), defs).lower()}"
    return _FORMATS.get(prop.get("format", "")) or _NAMES.get(prop.get("type", ""), "Any value")


def _default(prop: Mapping[str, Any]) -> str:
    value = prop.get("default")
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if prop.get("format") == "duration":
        return f"`{format_duration(TypeAdapter(timedelta).validate_python(value))}`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(render())

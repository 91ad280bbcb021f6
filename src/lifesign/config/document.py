"""The YAML file as plain values, with the line and column of every part of it.

Scalars follow YAML 1.2's core schema, so that what people write stays what they meant: `no` (Norway)
and `12:30` and `2026-01-01` are texts, and only `true` and `false` are booleans.
https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lifesign.config.problems import ConfigError, Loc, Origins, Place, Problem, path_of

_MAX_BYTES = 10 << 20
_MAX_NODES = 1_000_000
"""An operator's file is far below; aliases of aliases that multiply ("billion laughs") are far above."""

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, object] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_REFERENCE = re.compile(r"(\$?)\$\{(env|file):([^}]*)\}")


@dataclass(slots=True)
class _Reading:
    """One file while it is walked: what was found, and where."""

    source: str
    environ: Mapping[str, str] | None
    places: dict[Loc, Place] = field(default_factory=dict)
    hidden: set[Loc] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0


def read_document(path: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], Origins]:
    """The values of the file and their places, with `${env:NAME}` and `${file:/path}` filled in.

    Raises ConfigError when the file cannot be read, is not YAML, repeats a key, or refers to a
    variable or a file that is not there.
    """
    return read_text(_text_of(path), str(path), environ)


def read_text(text: str, source: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], Origins]:
    """The same for a text that was read already; `source` is its name in messages. Raises ConfigError."""
    value, origins = _read(text, _Reading(source, environ))
    if value is None:
        value = {}
    if not isinstance(value, dict):
        place = origins.places[()]
        raise ConfigError([Problem(place, "", "Write settings as `name: value`, one a line.")])
    return value, origins


def read_value(text: str, source: str) -> tuple[Any, Origins]:
    """A YAML text that may be a list as well, of somebody who is not at this machine: references stay as written.

    Raises ConfigError.
    """
    return _read(text, _Reading(source, None))


def write_value(value: object) -> str:
    """The YAML text of JSON values, which `read_value` reads back as what they were."""
    return yaml.dump(
        value,
        Dumper=_Writer,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=90,
    )


def _read(text: str, reading: _Reading) -> tuple[Any, Origins]:
    root = _compose(text, reading.source)
    value = None if root is None else _value(root, (), reading, above=())
    if reading.problems:
        raise ConfigError(reading.problems)
    return value, Origins(reading.places, frozenset(reading.hidden), Place(reading.source))


class _Writer(yaml.SafeDumper):
    """Writes texts so that they stay texts: YAML 1.1, which the library speaks, takes other words for numbers than 1.2."""

    def serialize(self, node: yaml.Node) -> None:
        """The outermost list and its items stand on lines of their own; only what is small within them does not."""
        inner = node.value if isinstance(node, yaml.SequenceNode) else ()
        for each in (node, *inner):
            if isinstance(each, yaml.CollectionNode):
                each.flow_style = not each.value
        super().serialize(node)

    def ignore_aliases(self, data: Any) -> bool:
        """Equal parts are written out: anchors are for people who know YAML well."""
        del data
        return True


def _write_text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_number = _INT.fullmatch(text) or _FLOAT.fullmatch(text)
    is_plain = text.isprintable() and text not in _WORDS and not is_number
    style = None if is_plain else "|" if _is_block(text) else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_block(text: str) -> bool:
    """Whether a text of several lines can stand as it is (a certificate): no blanks that its indentation would eat."""
    lines = text.split("\n")
    return len(lines) > 1 and all(line.isprintable() and line == line.strip() for line in lines)


_Writer.add_representer(str, _write_text)


def _text_of(path: Path) -> str:
    place = Place(str(path))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError([Problem(place, "", "The file is larger than 10 MiB.")])
        return path.read_text("utf-8-sig")
    except OSError as error:
        reason = f"The file cannot be read: {error.strerror}."
        raise ConfigError([Problem(place, "", reason)]) from None
    except UnicodeDecodeError as error:
        reason = f"The file is not UTF-8 (byte {error.start})."
        raise ConfigError([Problem(place, "", reason)]) from None


def _compose(text: str, source: str) -> yaml.Node | None:
    """Parse with libyaml, which is three times faster; the Python parser words errors better."""
    try:
        return yaml.compose(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return _compose_in_words(text, source)


def _compose_in_words(text: str, source: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source)
        raise ConfigError([Problem(place, "", _syntax(error, text))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(str(error.character))
        reason = f"The character U+{code:04X} is not allowed in YAML."
        raise ConfigError([Problem(Place(source, line, 1), "", reason)]) from None
    except RecursionError:
        reason = "Lists or mappings are nested too deeply."
        raise ConfigError([Problem(Place(source), "", reason)]) from None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    line = error.problem_mark.line if error.problem_mark else 0
    written = (text.splitlines() or [""])[min(line, max(0, len(text.splitlines()) - 1))]
    if "\t" in written[: len(written) - len(written.lstrip())] or "'\\t'" in str(error.problem):
        return "There is a tab. YAML is indented with spaces: replace the tab."
    if "mapping values are not allowed" in str(error.problem):
        return "There is a second `: ` on this line. Put a text that holds `: ` in quotes."
    if "cannot start any token" in str(error.problem):
        return f"{str(error.problem).capitalize()}. Put a text that begins so in quotes."
    context = f" ({error.context})" if error.context else ""
    return f"This is not valid YAML: {error.problem}{context}."


def _value(node: yaml.Node, loc: Loc, reading: _Reading, *, above: tuple[int, ...]) -> Any:
    mark = node.start_mark
    reading.places.setdefault(loc, Place(reading.source, mark.line + 1, mark.column + 1))
    reading.nodes += 1
    if id(node) in above or reading.nodes > _MAX_NODES:
        reading.problems.append(
            Problem(
                reading.places[loc], path_of(loc), "The anchors refer to one another without end."
            )
        )
        raise ConfigError(reading.problems)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, loc, reading)
    inner = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(item, (*loc, index), reading, above=inner)
            for index, item in enumerate(node.value)
        ]
    return _mapping(node, loc, reading, above=inner)


def _mapping(
    node: yaml.Node, loc: Loc, reading: _Reading, *, above: tuple[int, ...]
) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
        place = Place(reading.source, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            problem = "Write a plain name here. A text that begins with { or [ goes in quotes."
            reading.problems.append(Problem(place, path_of(loc), problem))
        elif key in own:
            first = reading.places[(*loc, key)]
            problem = f"This setting was already given on line {first.line}. Remove one of the two."
            reading.problems.append(Problem(place, path_of((*loc, key)), problem))
        elif key == "<<" and not key_node.style:
            merged |= _merged(value_node, loc, reading, above=above)
        else:
            reading.places[(*loc, key)] = place
            own[key] = _value(value_node, (*loc, key), reading, above=above)
    return merged | own


def _merged(
    node: yaml.Node, loc: Loc, reading: _Reading, *, above: tuple[int, ...]
) -> dict[str, Any]:
    """What `<<: *anchor` (or a list of anchors, the first wins) brings in."""
    sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found: dict[str, Any] = {}
    for source in reversed(sources):
        value = _value(source, loc, reading, above=above)
        found |= value if isinstance(value, dict) else {}
    return found


def _scalar(node: yaml.ScalarNode, loc: Loc, reading: _Reading) -> Any:
    text = str(node.value)
    if node.style:
        return _filled(text, loc, reading)
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _filled(text, loc, reading)


def _filled(text: str, loc: Loc, reading: _Reading) -> str:
    """`text` with its references replaced; `$${env:…}` stands for a literal `${env:…}`."""
    if reading.environ is None:
        return text

    def fill(match: re.Match[str]) -> str:
        escaped, source, name = match.groups()
        if escaped:
            return match[0][1:]
        reading.hidden.add(loc)
        return _from_file(name, loc, reading) if source == "file" else _from_env(name, loc, reading)

    return _REFERENCE.sub(fill, text)


def _from_env(name: str, loc: Loc, reading: _Reading) -> str:
    if reading.environ is not None and name in reading.environ:
        return reading.environ[name]
    problem = f"The environment variable {name} is not set. Set it, or write the value here."
    reading.problems.append(Problem(reading.places[loc], path_of(loc), problem))
    return ""


def _from_file(name: str, loc: Loc, reading: _Reading) -> str:
    try:
        return read_secret_file(Path(name))
    except ValueError as error:
        reading.problems.append(Problem(reading.places[loc], path_of(loc), str(error)))
        return ""


def read_secret_file(path: Path) -> str:
    """The text of a file that holds one secret, without its last line break. Raises ValueError."""
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"The file {path} cannot be read: {reason}.") from None

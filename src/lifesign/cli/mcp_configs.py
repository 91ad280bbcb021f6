"""The files in which MCP clients keep their servers, read as what `lifesign probe --config` can check.

Known are `mcpServers` (Claude Desktop, Claude Code, Cursor, Windsurf, Cline, Gemini CLI; a list in Continue's YAML),
`servers` (VS Code's mcp.json; under `mcp` in its settings), `context_servers` (Zed) and `mcp_servers` (Codex's TOML).
Nothing of a file's secrets stands in an error or in a reason.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from lifesign.cli.jsonc import JSONCError, read_jsonc
from lifesign.cli.mcp_placeholders import Filler, UnfilledError
from lifesign.core.errors import InvalidError

MAX_BYTES = 10 << 20
_KEYS = ("mcpServers", "servers", "context_servers", "mcp_servers")
_URLS = ("url", "serverUrl", "httpUrl")
"""Where an address stands: everywhere, in Windsurf, in Gemini CLI (Streamable HTTP)."""

_EDITOR_DIRS = frozenset({".vscode", ".cursor", ".zed", ".continue", ".gemini", ".codex"})
_OF_THE_PROBE = frozenset({"content-type", "accept"})


@dataclass(frozen=True, slots=True)
class Found:
    """One server of a file: the kind and settings to probe it with, or why it is skipped."""

    name: str
    kind: str = ""
    settings: Mapping[str, object] = field(default_factory=dict, repr=False)
    skipped: str = ""


def read_config(path: Path, environ: Mapping[str, str]) -> list[Found]:
    """Every server that a client's file names, in its order.

    Raises InvalidError, with line and column where they are known, when the file cannot be read or names no servers.
    """
    document = _parsed(path, _text_of(path))
    if not isinstance(document, Mapping):
        raise InvalidError(f"{path}: The file holds no mapping at its top.", remedy=_REMEDY)
    filler = Filler(environ, _workspace(path), _defaults(document.get("inputs")))
    found = list(_of_document(document, filler, str(path)))
    if not found:
        raise InvalidError(f"{path}: The file names no MCP servers.", remedy=_REMEDY)
    return found


_REMEDY = f"Give a file of an MCP client: servers stand under one of {', '.join(_KEYS)}."


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidError(f"{path}: The file is larger than {MAX_BYTES >> 20} MiB.")
        return path.read_text("utf-8-sig")
    except OSError as refusal:
        raise InvalidError(f"The file {path} cannot be read: {refusal.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidError(f"The file {path} cannot be read: it is not UTF-8.") from None


def _parsed(path: Path, text: str) -> object:
    try:
        if path.suffix in {".yaml", ".yml"}:
            return yaml.safe_load(text)
        return tomllib.loads(text) if path.suffix == ".toml" else read_jsonc(text)
    except JSONCError as error:
        where = f"{path}:{error.line}:{error.column}"
        raise InvalidError(f"{where}: This is no JSON: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidError(f"{path}: This is no TOML: {error}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise InvalidError(f"{where}: This is no YAML: {error.problem}.") from None
    except (yaml.YAMLError, RecursionError):
        raise InvalidError(f"{path}: This is no YAML.") from None


def _workspace(path: Path) -> Path:
    """The folder that a file speaks for: the one with the editor's own folder in it."""
    folder = path.absolute().parent
    return folder.parent if folder.name in _EDITOR_DIRS else folder


def _defaults(inputs: object) -> dict[str, str]:
    asked = inputs if isinstance(inputs, list) else []
    return {
        str(one["id"]): str(one["default"])
        for one in asked
        if isinstance(one, Mapping) and "id" in one and "default" in one
    }


def _of_document(document: Mapping[str, Any], filler: Filler, where: str) -> Iterator[Found]:
    for key in _KEYS:
        if key in document:
            yield from _of_section(document[key], filler, f"{where}: {key}")
    of_editor = document.get("mcp")
    if isinstance(of_editor, Mapping) and "servers" in of_editor:
        defaults = _defaults(of_editor.get("inputs")) or filler.defaults
        yield from _of_document(of_editor, replace(filler, defaults=defaults), f"{where}: mcp")
    projects = document.get("projects")
    for folder, project in projects.items() if isinstance(projects, Mapping) else ():
        # Claude Code keeps what belongs to one project in the file of its user.
        if isinstance(project, Mapping):
            inside = replace(filler, workspace=Path(folder))
            for found in _of_document(project, inside, f"{where}: projects[{folder}]"):
                yield replace(found, name=f"{Path(folder).name}/{found.name}")


def _of_section(section: object, filler: Filler, where: str) -> Iterator[Found]:
    if isinstance(section, Mapping):
        named = [(str(name), raw) for name, raw in section.items()]
    elif isinstance(section, list):
        named = [(_own_name(raw, number), raw) for number, raw in enumerate(section)]
    else:
        raise InvalidError(f"{where} is neither a mapping nor a list of servers.")
    for name, raw in named:
        if not isinstance(raw, Mapping):
            raise InvalidError(f"{where}.{name} is no mapping.")
        yield _found(name, raw, filler, f"{where}.{name}")


def _own_name(raw: object, number: int) -> str:
    return str(raw.get("name", f"[{number}]")) if isinstance(raw, Mapping) else f"[{number}]"


def _found(name: str, raw: Mapping[str, Any], filler: Filler, where: str) -> Found:
    if raw.get("disabled") is True or raw.get("enabled") is False:
        return Found(name, skipped="is disabled in the file")
    url = next((raw[key] for key in _URLS if raw.get(key)), None)
    try:
        if url is not None and not raw.get("command"):
            return Found(name, "mcp", _remote(raw, url, filler, where))
        if raw.get("command"):
            return Found(name, "mcp-stdio", _program(raw, filler, where))
    except UnfilledError as reason:
        return Found(name, skipped=str(reason))
    return Found(name, skipped="has neither a command nor a URL")


def _remote(raw: Mapping[str, Any], url: object, filler: Filler, where: str) -> dict[str, object]:
    options = raw.get("requestOptions")
    inside = options.get("headers") if isinstance(options, Mapping) else None
    given = raw.get("headers") or raw.get("http_headers") or inside
    headers = _texts(given, filler, f"{where}.headers")
    for name, variable in _texts(raw.get("env_http_headers"), filler, where).items():
        headers[name] = filler.fill(f"${{env:{variable}}}")
    kept = {name: text for name, text in headers.items() if name.lower() not in _OF_THE_PROBE}
    settings: dict[str, object] = {"url": filler.fill(str(url)), "headers": kept}
    if raw.get("bearer_token_env_var"):
        settings["bearer_token"] = filler.fill(f"${{env:{raw['bearer_token_env_var']}}}")
    named = str(raw.get("type") or raw.get("transport") or raw.get("transportType") or "").lower()
    if named == "sse":
        settings["transport"] = "sse"
    return settings


def _program(raw: Mapping[str, Any], filler: Filler, where: str) -> dict[str, object]:
    command, args, env = raw["command"], raw.get("args"), raw.get("env")
    if isinstance(command, Mapping):
        # Zed's older form keeps all three below `command`.
        command, args, env = command.get("path", ""), command.get("args"), command.get("env")
    words = command if isinstance(command, list) else [command]
    rest = args if isinstance(args, list) else [] if args is None else None
    if rest is None or not all(isinstance(word, str | int | float) for word in (*words, *rest)):
        raise InvalidError(f"{where}: `command` is a text and `args` a list of texts.")
    filled = [filler.fill(str(word)) for word in (*words, *rest)]
    settings: dict[str, object] = {
        "command": words_as_they_are(filled),
        "env": _of_file(raw.get("envFile"), filler) | _texts(env, filler, f"{where}.env"),
    }
    if raw.get("cwd"):
        settings["cwd"] = str(filler.workspace / Path(filler.fill(str(raw["cwd"]))).expanduser())
    return settings


def words_as_they_are(words: list[str]) -> list[str]:
    """The setting `command` that means exactly these words; a single one would be split at its blanks."""
    return [quote(words[0])] if len(words) == 1 else words


def _texts(given: object, filler: Filler, where: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidError(f"{where} is no mapping of names to texts.")
    return {
        str(name): filler.fill(_word(value)) for name, value in given.items() if value is not None
    }


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_file(path: object, filler: Filler) -> dict[str, str]:
    """The variables of a dotenv file: NAME=value lines, perhaps quoted, with comments between them."""
    if not isinstance(path, str) or not path:
        return {}
    place = filler.workspace / Path(filler.fill(path)).expanduser()
    variables: dict[str, str] = {}
    for line in _text_of(place).splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            variables[name.strip()] = value.strip().strip("\"'")
    return variables

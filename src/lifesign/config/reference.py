"""`docs/configuration.md`, written from the models themselves: `python -m lifesign.config.reference`."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AnyHttpUrl, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lifesign.config.environment import PREFIX, variables_of
from lifesign.config.model import Config
from lifesign.core.units import format_duration

_INTRODUCTION = """\
# Configuration

<!-- Written by `python -m lifesign.config.reference`; edit the models in src/lifesign/config. -->

Lifesign runs without any configuration. What is set comes, strongest first, from

1. flags of the command (`--listen`, `--data`),
2. the environment (`LIFESIGN_LISTEN`; for secrets also `LIFESIGN_SECRET_KEY_FILE`, which names a file
   that holds the value),
3. the file that `--config` or `LIFESIGN_CONFIG` names,
4. the defaults below.

A wrong key or value stops the start, with file, line, column and reason:

```text
lifesign.yaml:4:5: monitors[0].intervall: There is no such setting. Did you mean 'interval'?
```

## The file

```yaml
listen: 127.0.0.1:8080
retention:
  raw: 14d

monitors:
  - name: Shop
    kind: http
    settings:
      url: https://shop.example/health
    interval: 30s
    conditions:
      - status == 200
      - "warn: tls.days_left > 14"
    tags: [shop, public]
  - name: Mail server
    target: mail.example:25

channels:
  - name: On call
    kind: webhook
    settings:
      url: https://hooks.example/lifesign
      secret: ${env:HOOK_SECRET}

routes:
  - name: Serious matters
    channels: [On call]
    min_severity: high
```

- **Durations** carry their unit: `250ms`, `30s`, `5m`, `1h30m`, `2d`, `1w`. A bare number is refused.
- **Secrets** stay out of the file: `${env:NAME}` takes the value of a variable and `${file:/path}` that of a
  file. `$${env:NAME}` is the literal text.
- **Texts are texts.** As in YAML 1.2, `no`, `12:30` and `2026-01-01` are not turned into something else; only `true`
  and `false` are booleans, and a boolean setting also understands `yes` and `no`.
- A key that is given twice, a tab and an unknown key are errors.
- Anchors, aliases and `<<` work as usual.
"""


def render() -> str:
    """The whole page in Markdown."""
    parts = [_INTRODUCTION, *_sections(Config, title="Settings", path=())]
    return "\n".join(parts).rstrip() + "\n"


def _sections(model: type[BaseModel], *, title: str, path: tuple[str, ...]) -> Iterator[str]:
    variables = {variable.loc: variable for variable in variables_of(Config)}
    yield f"## {title}\n"
    if path:
        yield f"{_summary(model)}\n"
    inner: list[tuple[str, type[BaseModel], tuple[str, ...]]] = []
    rows: list[str] = []
    for name, info in model.model_fields.items():
        section = _model_of(info.annotation)
        if section is not None:
            inner.append((_title(path, name, info), section, (*path, name)))
            continue
        variable = variables.get((*path, name))
        names = [variable.name] if variable else []
        names += [f"{variable.name}_FILE"] if variable and variable.is_secret else []
        rows.append(_row(name, info, names))
    heading = "| setting | what it is | default | environment |\n|---|---|---|---|"
    if not any(PREFIX in row for row in rows):
        heading = "| setting | what it is | default |\n|---|---|---|"
        rows = [row.removesuffix("|  |") + "|" for row in rows]
    yield "\n".join([heading, *rows]) + "\n"
    for section_title, section, section_path in inner:
        yield from _sections(section, title=section_title, path=section_path)


def _row(name: str, info: FieldInfo, variables: list[str]) -> str:
    what = f"{_type(info.annotation)}. {info.description}".replace("|", "\\|")
    shown = ", ".join(f"`{variable}`" for variable in variables)
    return f"| `{name}` | {what} | {_default(info)} | {shown} |"


def _title(path: tuple[str, ...], name: str, info: FieldInfo) -> str:
    dotted = ".".join((*path, name))
    return f"`{dotted}` (a list)" if get_origin(info.annotation) is tuple else f"`{dotted}`"


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


_TYPES: dict[Any, str] = {
    str: "Text",
    int: "Whole number",
    float: "Number",
    bool: "`true` or `false`",
    Path: "Path",
    timedelta: "Duration",
    SecretStr: "Secret",
    IPv4Network: "Network",
    AnyHttpUrl: "URL",
}


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        return f"List of {_type(arguments[0]).lower()}"
    if origin is dict:
        return "Mapping"
    if origin in (Annotated, Union, UnionType):
        return _type(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{choice}`" for choice in annotation)
    return _TYPES[annotation]


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ("", (), {}) or isinstance(value, SecretStr):
        return "none"
    if isinstance(value, timedelta):
        value = format_duration(value)
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.stdout.write(render())

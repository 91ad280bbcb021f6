"""The environment: `LIFESIGN_<SETTING>`, `LIFESIGN_<SECTION>_<SETTING>`, and `…_FILE` for secrets."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from lifesign.config.document import read_secret_file
from lifesign.config.problems import ConfigError, Loc, Origins, Place, Problem, nearest

PREFIX = "LIFESIGN_"

OF_THE_COMMAND_LINE = ("CONFIG", "URL", "TOKEN", "TOKEN_FILE")
"""Variables that the commands read for themselves: they are known here, and not settings."""

_KUBERNETES = re.compile(
    r"(?:.+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_.+)?)?)"
)
"""What Kubernetes sets in every pod beside a service whose name begins with `lifesign`.

https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment and the setting it stands for."""

    name: str
    loc: Loc
    is_list: bool = False
    is_secret: bool = False


def variables_of(model: type[BaseModel], *, loc: Loc = ()) -> Iterator[Variable]:
    """Every variable that `model` can be set by. Lists of mappings are left to the file."""
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from variables_of(inner, loc=(*loc, name))
        elif not _holds_models(info):
            variable = PREFIX + "_".join(map(str, (*loc, name))).upper()
            yield Variable(variable, (*loc, name), _is_list(info), is_secret(info))


def read_environment(
    model: type[BaseModel], environ: Mapping[str, str]
) -> tuple[dict[str, Any], Origins]:
    """The settings that the environment gives, and which variable gave each.

    Raises ConfigError for a variable that begins with the prefix and means nothing (unless
    Kubernetes made it), for a `…_FILE` that cannot be read, and for a secret that is given twice.
    """
    known = {variable.name: variable for variable in variables_of(model)}
    values: dict[str, Any] = {}
    places: dict[Loc, Place] = {}
    problems: list[Problem] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in OF_THE_COMMAND_LINE:
            continue
        variable = known.get(name) or _file_variant(name, known)
        if variable is None:
            problems += _unknown(name, known)
        elif variable.loc in places:
            problem = (
                f"{variable.name} and {variable.name}_FILE are both set. Unset one of the two."
            )
            problems.append(Problem(Place(name), "", problem))
        else:
            places[variable.loc] = Place(name)
            try:
                put(values, variable.loc, _read(name, variable, environ[name]))
            except ValueError as error:
                problems.append(Problem(Place(name), "", str(error)))
    if problems:
        raise ConfigError(problems)
    return values, Origins(places)


def put(values: dict[str, Any], loc: Loc, value: object) -> None:
    """Set `value` at `loc` in nested mappings, making the ones on the way."""
    for part in loc[:-1]:
        values = values.setdefault(str(part), {})
    values[str(loc[-1])] = value


def is_secret(info: FieldInfo) -> bool:
    """Whether the setting is a secret, which can also be read from a file."""
    return SecretStr in (info.annotation, *get_args(info.annotation))


def _is_list(info: FieldInfo) -> bool:
    return get_origin(info.annotation) in (list, tuple)


def _holds_models(info: FieldInfo) -> bool:
    return any(isinstance(a, type) and issubclass(a, BaseModel) for a in get_args(info.annotation))


def _file_variant(name: str, known: Mapping[str, Variable]) -> Variable | None:
    variable = known.get(name.removesuffix("_FILE"))
    return variable if variable is not None and variable.is_secret else None


def _read(name: str, variable: Variable, text: str) -> object:
    if name != variable.name:
        return read_secret_file(Path(text))
    if variable.is_list:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _unknown(name: str, known: Mapping[str, Variable]) -> list[Problem]:
    if _KUBERNETES.fullmatch(name.removeprefix(PREFIX)):
        return []
    names = {known_name.lower(): known_name for known_name in known}
    suggestion = names.get(nearest(name, names), "")
    return [Problem(Place(name), "", "There is no such setting.", suggestion)]

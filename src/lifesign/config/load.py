"""From the environment, the file and the command line to one checked `Config`, or to what is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lifesign.config.document import read_document
from lifesign.config.environment import read_environment
from lifesign.config.model import Config
from lifesign.config.problems import (
    ConfigError,
    Loc,
    Origins,
    Place,
    Problem,
    path_of,
    problems_in,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration and where each part of it was written.

    Floors above find what this one cannot know (an unknown kind, a wrong setting of a kind) and
    turn it into problems with a place here; they raise `ConfigError(problems)` for all of them at once.
    """

    config: Config
    origins: Origins
    file: Path | None = None

    def problem_at(self, loc: Loc, message: str, *, suggestion: str = "") -> Problem:
        """A problem with what stands at `loc`, such as `("monitors", 2, "kind")`."""
        return Problem(self.origins.of(loc), path_of(loc), message, suggestion)

    def problems_in(
        self, error: ValidationError, model: type[BaseModel], *, at: Loc
    ) -> tuple[Problem, ...]:
        """What pydantic found when `model` (a kind's settings) was made from what stands at `at`."""
        return problems_in(error, model, self.origins, prefix=at)


def load_config(
    path: Path | None, environ: Mapping[str, str], *, flags: Mapping[str, object] | None = None
) -> Loaded:
    """Read and check the configuration: `flags` over `environ` over the file over defaults.

    `flags` are values given on the command line, by the setting's dotted name (`listen`,
    `limits.concurrency`); None means that the flag was not given. Raises ConfigError with every
    problem that was found.
    """
    values: dict[str, Any] = {}
    places: dict[Loc, Place] = {}
    hidden: frozenset[Loc] = frozenset()
    if path is not None:
        values, origins = read_document(path, environ)
        places, hidden = dict(origins.places), origins.hidden
    for given, origin in (read_environment(Config, environ), _read_flags(flags or {})):
        values = _laid_over(values, given)
        places |= origin.places
        hidden -= frozenset(origin.places)
    default = Place(str(path) if path else "configuration")
    return replace(_checked(values, Origins(places, hidden, default)), file=path)


def _checked(values: dict[str, Any], origins: Origins) -> Loaded:
    # `monitors:` with nothing below it (all commented out) means that there are none.
    given = {k: v for k, v in values.items() if v is not None or k not in Config.model_fields}
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        raise ConfigError(problems_in(error, Config, origins)) from None
    repeated = tuple(_repeated_names(config, origins))
    if repeated:
        raise ConfigError(repeated)
    return Loaded(config, origins)


def _read_flags(flags: Mapping[str, object]) -> tuple[dict[str, Any], Origins]:
    values: dict[str, Any] = {}
    places: dict[Loc, Place] = {}
    for name, value in flags.items():
        if value is not None:
            loc = tuple(name.split("."))
            values = _laid_over(values, _nested(loc, value))
            places[loc] = Place(f"--{name.replace('.', '-').replace('_', '-')}")
    return values, Origins(places)


def _nested(loc: tuple[str, ...], value: object) -> dict[str, Any]:
    return {loc[0]: value if len(loc) == 1 else _nested(loc[1:], value)}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _laid_over(old, value)  # noqa: PLW2901 - the merged section
        merged[name] = value
    return merged


def _repeated_names(config: Config, origins: Origins) -> Iterator[Problem]:
    for part in ("monitors", "channels", "routes"):
        seen: dict[str, int] = {}
        for index, item in enumerate(getattr(config, part)):
            first = seen.setdefault(item.name, index)
            if first != index:
                line = origins.of((part, first, "name"))
                message = f"The name {item.name!r} is already used at {line}. Names are unique."
                loc = (part, index, "name")
                yield Problem(origins.of(loc), path_of(loc), message)

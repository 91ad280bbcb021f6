"""A kind's settings on their way in and out: checked by their model, with secrets kept and never shown."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from lifesign.config.problems import Origins, problems_in

SHOWN = "***"
"""What stands for a secret in every view; sent back, it means "as it was"."""

_NOT_STORED = "*** stands for a secret that is stored, and none is: give the secret itself"

Problems = tuple[tuple[str, str], ...]


class SettingsError(ValueError):
    """Settings that their model refuses; `problems` are (field, reason) pairs, `cause` is pydantic's own error."""

    def __init__(self, problems: Problems, cause: ValidationError | None = None) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in problems))
        self.problems = problems
        self.cause = cause


def parse_settings(
    model: type[BaseModel], given: Mapping[str, object], *, prefix: str = "settings"
) -> BaseModel:
    """The settings as their model. Raises SettingsError with every problem, never with a secret in it."""
    try:
        settings = model.model_validate(dict(given))
    except ValidationError as error:
        problems = pydantic_problems(error, model, prefix=prefix)
        raise SettingsError(problems, error) from None
    starred = tuple(_starred(settings.model_dump(by_alias=True), prefix))
    if starred:
        raise SettingsError(tuple((field, _NOT_STORED) for field in starred))
    return settings


def _starred(value: object, path: str) -> Iterator[str]:
    """Where a secret is nothing but the stars that stand for one."""
    if isinstance(value, SecretStr) and value.get_secret_value() == SHOWN:
        yield path
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _starred(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, below in enumerate(value):
            yield from _starred(below, f"{path}[{index}]")


def pydantic_problems(
    error: ValidationError, model: type[BaseModel], *, prefix: str = "", noun: str = "setting"
) -> Problems:
    """What pydantic found, as (field, reason with a hint at what was probably meant); a field is called `noun`."""
    found = problems_in(error, model, Origins(), prefix=(prefix,) if prefix else (), noun=noun)
    return tuple(
        (
            problem.path or prefix or f"{noun}s",
            problem.message
            + (f" Did you mean {problem.suggestion!r}?" if problem.suggestion else ""),
        )
        for problem in found
    )


def sentences(problems: Problems) -> str:
    """The problems in a row, for the detail of an error."""
    return " ".join(
        f"{field}: {reason}" if reason.endswith((".", "?")) else f"{field}: {reason}."
        for field, reason in problems
    )


def stored_settings(settings: BaseModel) -> dict[str, object]:
    """The settings as JSON values with secrets in clear: what is given to the store, which encrypts them."""
    return _revealed(settings, lambda secret: secret)


def shown_settings(settings: BaseModel) -> dict[str, object]:
    """The settings as JSON values with every secret that is set replaced by `***`."""
    return _revealed(settings, lambda secret: SHOWN if secret else "")


def with_kept_secrets(
    given: Mapping[str, object], kept: Mapping[str, object] | None
) -> dict[str, object]:
    """What was sent, with the stored value wherever `***` came back."""
    return cast("dict[str, object]", _kept(dict(given), kept if kept is not None else {}))


def _kept(given: object, stored: object) -> object:
    if given == SHOWN:
        return stored if isinstance(stored, str) else given
    if isinstance(given, dict):
        below = stored if isinstance(stored, dict | Mapping) else {}
        return {key: _kept(value, below.get(key)) for key, value in given.items()}
    if isinstance(given, list):
        items = stored if isinstance(stored, list) else []
        return [_kept(value, _same_item(value, at, items)) for at, value in enumerate(given)]
    return given


def _same_item(value: object, at: int, items: list[object]) -> object:
    """The stored item that a sent one stands for: by its name where it has one, else by its position.

    A list that was put into another order so sends no secret to another place.
    """
    name = value.get("name") if isinstance(value, dict) else None
    if name is None:
        return items[at] if at < len(items) else None
    named = (item for item in items if isinstance(item, dict) and item.get("name") == name)
    return next(named, None)


def _revealed(settings: BaseModel, reveal: Callable[[str], str]) -> dict[str, object]:
    """Dump to JSON values; `reveal` gets each secret's text."""
    dumped = settings.model_dump(mode="json", by_alias=True)
    plain = settings.model_dump(mode="python", by_alias=True)
    return cast("dict[str, object]", _filled(dumped, plain, reveal))


def _filled(dumped: Any, plain: Any, reveal: Callable[[str], str]) -> object:
    """`dumped` (secrets masked by pydantic) with each secret of `plain`, the same tree, put through `reveal`."""
    if isinstance(plain, SecretStr):
        return reveal(plain.get_secret_value())
    if isinstance(plain, SecretBytes):
        return reveal(plain.get_secret_value().decode("utf-8", "replace"))
    if isinstance(dumped, dict) and isinstance(plain, dict):
        texts = {str(key): value for key, value in plain.items()}
        return {key: _filled(value, texts.get(key), reveal) for key, value in dumped.items()}
    if isinstance(dumped, list) and isinstance(plain, list | tuple):
        return [_filled(*pair, reveal) for pair in zip(dumped, plain, strict=True)]
    return dumped

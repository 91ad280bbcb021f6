"""What pydantic finds wrong, as a sentence that says what to write instead."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

_FIXED = {
    "bool_parsing": "Write true or false",
    "bool_type": "Write true or false",
    "string_type": "Write a text; put a number or a date in quotes",
    "path_type": "Write a path",
    "int_parsing": "Write a whole number",
    "int_type": "Write a whole number",
    "int_from_float": "Write a whole number",
    "float_parsing": "Write a number",
    "float_type": "Write a number",
    "finite_number": "Write a finite number",
    "tuple_type": "Write a list, one item a line, each after a dash",
    "list_type": "Write a list, one item a line, each after a dash",
    "dict_type": "Write a mapping of names to values",
    "ip_v4_network": "Write a network, such as 10.0.0.0/8, with no bits set beyond its length",
    "model_type": "Write a mapping of names to values",
    "model_attributes_type": "Write a mapping of names to values",
    "url_parsing": "Write a whole URL, such as https://example.org/",
    "url_scheme": "Write a URL that begins with http:// or https://",
    "uuid_parsing": "Write a UUID, such as 0b1f0c8e-2b7d-4f3a-9d59-0c9f4c2b7a11",
}
"""By pydantic's type of error (https://docs.pydantic.dev/latest/errors/validation_errors/)."""

_FILLED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda ctx: f"Write {_shown(ctx['ge'])} or more",
    "greater_than": lambda ctx: f"Write more than {_shown(ctx['gt'])}",
    "less_than_equal": lambda ctx: f"Write {_shown(ctx['le'])} or less",
    "less_than": lambda ctx: f"Write less than {_shown(ctx['lt'])}",
    "string_too_short": lambda ctx: f"Write at least {_counted(ctx['min_length'], 'character')}",
    "string_too_long": lambda ctx: f"Write at most {_counted(ctx['max_length'], 'character')}",
    "too_short": lambda ctx: f"Give at least {_counted(ctx['min_length'], 'item')}",
    "too_long": lambda ctx: f"Give at most {_counted(ctx['max_length'], 'item')}",
    "enum": lambda ctx: f"Write {ctx['expected']}",
    "literal_error": lambda ctx: f"Write {ctx['expected']}",
    "string_pattern_mismatch": lambda ctx: _PATTERNS.get(
        ctx["pattern"], f"Write it in the form {ctx['pattern']}"
    ),
}

_PATTERNS: Mapping[str, str] = {
    r"^[^\s,]{1,64}$": "Write one word of at most 64 characters, without spaces and commas",
    r"^[A-Za-z0-9._-]{1,64}$": "Write one word of at most 64 letters, digits, dots, dashes and underscores",
    r"^(https?://[^\s]+)?$": "Write a URL that begins with http:// or https://",
}
"""What the regular expressions of our models mean."""


def sentence_of(detail: Mapping[str, Any]) -> str:
    """One finding of `ValidationError.errors()` as a sentence, without the value that was found."""
    text = _text(detail).removesuffix(".")
    return f"{text[:1].upper()}{text[1:]}."


def _text(detail: Mapping[str, Any]) -> str:
    type, context = detail["type"], detail.get("ctx", {})
    if type == "too_short" and isinstance(detail["input"], str | SecretStr):
        type = "string_too_short"
    if type in _FIXED:
        return _FIXED[type]
    if type in _FILLED:
        return _FILLED[type](context)
    cause = context.get("error")
    if isinstance(cause, ValueError):
        return str(cause)
    return re.sub(r"^(Input|String|Value) should be ", "Write ", str(detail["msg"]))


def _shown(limit: object) -> str:
    """A limit as people write it; whole numbers without a fraction."""
    if isinstance(limit, timedelta):
        return str(limit)
    return f"{limit:.12g}" if isinstance(limit, float) else str(limit)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

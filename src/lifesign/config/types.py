"""Durations, sizes and addresses as pydantic types, for the configuration and for settings models."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from lifesign.core.units import format_duration, format_size, parse_duration, parse_size

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def one_line(text: str) -> str:
    """The text itself. Raises ValueError for control characters, which PostgreSQL and terminals take amiss."""
    if _CONTROL.search(text):
        raise ValueError("is one line, without control characters")
    return text


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(  # noqa: TRY004 - pydantic reports ValueError
            "a duration is written with its unit, such as 30s, 5m or 1h30m"
        )
    return parse_duration(str(value))


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic reports ValueError
            "a size is written with its unit, such as 64KiB or 10MB"
        )
    return parse_size(value)


def _condition(value: object) -> object:
    """YAML reads `- warn: status == 200` as a mapping of one name; what was meant is the text."""
    if isinstance(value, dict) and len(value) == 1:
        (level, text), *_ = value.items()
        return f"{level}: {text}"
    return value


def _listen(value: object) -> str:
    split_address(str(value))
    return str(value)


def split_address(text: str) -> tuple[str, int]:
    """`host:port` in two; an IPv6 address stands in brackets. Raises ValueError otherwise."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("write an address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    if ":" in host and not bracketed:
        raise ValueError("put an IPv6 address in brackets, such as [::1]:8080")
    return host.strip("[]"), int(port)


def split_nameserver(text: str) -> tuple[str, int]:
    """Address and port of a name server; the port is 53 when absent. Raises ValueError otherwise."""
    if _is_address(text):
        return text, 53
    try:
        host, port = split_address(text)
    except ValueError:
        host, port = "", 0
    if not _is_address(host):
        raise ValueError(
            "write an address, such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::1]:53"
        )
    return host, port


def _nameserver(value: object) -> str:
    split_nameserver(str(value))
    return str(value)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "format": "duration-units", "examples": ["30s", "1h30m"]}),
]
"""A `timedelta` that is written as `30s` or `1h30m`."""

NEVER: Final = timedelta.max
"""What `never` is read as."""


def _duration_or_never(value: object) -> timedelta:
    is_never = isinstance(value, str) and value.strip().lower() == "never"
    return NEVER if is_never else _duration(value)


DurationOrNever = Annotated[
    timedelta,
    BeforeValidator(_duration_or_never),
    PlainSerializer(
        lambda value: "never" if value == NEVER else format_duration(value), return_type=str
    ),
    WithJsonSchema({"type": "string", "format": "duration-units", "examples": ["24h", "never"]}),
]
"""A duration, or `never`."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "format": "size-units", "examples": ["64KiB", "10MB"]}),
]
"""A number of bytes that is written as `64KiB` or `10MB`."""

ConditionText = Annotated[str, BeforeValidator(_condition)]
"""A condition, also where YAML took its level for a name."""

Listen = Annotated[str, BeforeValidator(_listen)]
"""An address and a port to listen on."""

Nameserver = Annotated[str, BeforeValidator(_nameserver)]
"""The address of a name server, with a port when it is not 53."""

"""What one switch is: a code, what the server does then, and the ways that make it do so."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lifesign.testing.ways import Ways


class Where(StrEnum):
    """Which part of the server is at fault: its endpoint, the health URL beside it, or a program on stdio."""

    ENDPOINT = "http"
    HEALTH = "health"
    STDIO = "stdio"


FAITHFUL = Ways()


@dataclass(frozen=True)
class Fault:
    """One switch. `code` is layer and code, `what` completes "the server …", `needs` is what a client must do to see it."""

    code: str
    what: str
    ways: Ways = FAITHFUL
    needs: str = ""
    where: Where = Where.ENDPOINT


def fault(code: str, what: str, *, needs: str = "", **told: Any) -> Fault:
    """A fault of the endpoint; the rest is told to `Ways`."""
    return Fault(code, what, Ways().told(**told), needs)

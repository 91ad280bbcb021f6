"""Faults of the health URL beside a server; the endpoint itself is faithful."""

from collections.abc import Callable
from datetime import timedelta

from lifesign.testing.answers import Answer, Call, Say
from lifesign.testing.faults.fault import Fault, Where
from lifesign.testing.health import health_of
from lifesign.testing.ways import Ways


def _of(code: str, what: str, say: Say, needs: str = "") -> Fault:
    return Fault(f"health_url/{code}", what, Ways().told(health=say), needs, Where.HEALTH)


def _old(age: timedelta) -> Callable[[Call], Answer]:
    """Made anew for each call: the timestamp is relative to the present."""
    return lambda _: health_of(age=age)


HEALTH: tuple[Fault, ...] = (
    _of("unreachable", "resets each request to its health URL.", Answer(raw=(), then="reset")),
    _of("status", "answers its health URL with 500.", Answer(500)),
    _of("body_down", "says in the body that it is down, with status 200.", lambda _: health_of("down")),
    _of("body_degraded", "says in the body that it is degraded, with status 200.", lambda _: health_of("degraded")),
    _of("threshold", "has 5,000 entries in `queue.depth`.", lambda _: health_of(depth=5000), "a limit for `queue.depth`"),
    _of("stale", "has looked at itself a day ago.", _old(timedelta(days=1)), "a limit for the age of `updatedAt`"),
)  # fmt: skip

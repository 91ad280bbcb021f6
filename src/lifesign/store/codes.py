"""Small numbers for words that are stored often, and the order in which states are shown."""

from collections.abc import Mapping
from types import MappingProxyType

from lifesign.core.model import State

STATE_CODE: Mapping[State, int] = MappingProxyType(
    {
        State.UP: 0,
        State.DEGRADED: 1,
        State.DOWN: 2,
        State.UNKNOWN: 3,
        State.MAINTENANCE: 4,
        State.PAUSED: 5,
    }
)
"""What `state` columns hold. These numbers are in people's databases: add, never change."""

CODE_STATE: tuple[State, ...] = tuple(sorted(STATE_CODE, key=STATE_CODE.__getitem__))

WORST_FIRST: tuple[State, ...] = (
    State.DOWN,
    State.DEGRADED,
    State.UNKNOWN,
    State.MAINTENANCE,
    State.UP,
    State.PAUSED,
)
RANK: Mapping[State, int] = MappingProxyType(
    {state: rank for rank, state in enumerate(WORST_FIRST)}
)

PING_SUCCESS, PING_FAIL, PING_START, PING_LOG = range(4)


def ping_outcome(action: str, exit_status: int | None) -> int:
    """What a ping says about its job: done, failed, begun, or nothing but a line in the log."""
    if action == "exit":
        return PING_SUCCESS if exit_status == 0 else PING_FAIL
    words = {"success": PING_SUCCESS, "fail": PING_FAIL, "start": PING_START}
    return words.get(action, PING_LOG)

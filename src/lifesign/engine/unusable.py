"""Monitors that are stored and cannot be run: another version wrote what this one refuses."""

from pydantic import BaseModel, ValidationError

from lifesign.config.problems import Origins, problems_in
from lifesign.core.model import Failure, Monitor, MonitorState, Owner, Reason

LAYER, CODE = "internal", "unusable"
_MOST_CHARS = 600
_REMEDIES = {
    Owner.FILE: "Mend it in the configuration file and start Lifesign again: it then goes on by itself.",
}
_REMEDY = "Edit it on its page or over the REST API: it then goes on by itself. Or remove it and add it anew."


class UnusableError(ValueError):
    """A stored monitor that cannot be made ready; the text says what is wrong with it, and holds no secret."""


def refusal_of(error: ValidationError, settings: type[BaseModel]) -> str:
    """What a kind refuses of stored settings, each with its name, as people read it."""
    found = problems_in(error, settings, Origins(), prefix=("settings",))
    return " ".join(f"{problem.path}: {problem.message}" for problem in found)


def unusable(monitor: Monitor, why: str) -> Failure:
    """The failure that a set-aside monitor shows: what is wrong with it, and what to do."""
    what = why if len(why) <= _MOST_CHARS else f"{why[: _MOST_CHARS - 1]}…"
    return Failure(
        LAYER,
        CODE,
        f"{monitor.name} is not watched: this version of Lifesign refuses what is stored of it. {what}",
        Reason.INTERNAL,
        _REMEDIES.get(monitor.owner, _REMEDY),
    )


def is_set_aside(state: MonitorState | None) -> bool:
    """Whether a monitor was last told to be one that cannot be run."""
    failure = None if state is None else state.failure
    return failure is not None and (failure.layer, failure.code) == (LAYER, CODE)

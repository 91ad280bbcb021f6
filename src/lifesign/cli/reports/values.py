"""What was probed in one run of the command, and what of it makes the command fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lifesign.cli.probing import Finished, Question, findings_of
from lifesign.core.drift.values import Change, Impact
from lifesign.core.errors import InvalidError, LifesignError
from lifesign.core.model import Failure, Finding, State


class UnwritableError(LifesignError):
    """A report could not be written."""

    code = "unwritable"


class Blame(StrEnum):
    """What makes the command fail. `down` always does; unknown, which is our own trouble, goes with it."""

    DOWN = "down"
    DEGRADED = "degraded"
    DRIFT = "drift"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Compared:
    """What is published now against a baseline: the changes, or why there was nothing to compare (`unread`)."""

    baseline: str
    changes: tuple[Change, ...] = ()
    unread: str = ""

    @property
    def counted(self) -> tuple[Change, ...]:
        """The changes that are drift: all but those of names and versions."""
        return tuple([change for change in self.changes if change.impact is not Impact.INFO])


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was probed and what came of it; or the server of a file that was skipped, and why."""

    name: str
    question: Question | None = None
    finished: Finished | None = None
    skipped: str = ""
    compared: Compared | None = None

    @property
    def state(self) -> State:
        """What it is; unknown when it was not probed."""
        return self.finished.outcome.state if self.finished else State.UNKNOWN

    @property
    def failure(self) -> Failure | None:
        """The first thing that is wrong."""
        return self.finished.outcome.failure if self.finished else None

    @property
    def other_findings(self) -> list[Finding]:
        """What was found besides the failure."""
        found = findings_of(self.finished) if self.finished else []
        told = self.failure
        return [each for each in found if told is None or each.message != told.message]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run of the command probed. `config` is the file that named it, if one did.

    `is_guessed` says that nobody said what the target is.
    """

    entries: tuple[Entry, ...]
    fail_on: frozenset[Blame]
    config: str = ""
    is_guessed: bool = False

    @property
    def has_passed(self) -> bool:
        """Whether nothing happened that makes the command fail."""
        return not any(blames(entry, self.fail_on) for entry in self.entries)


def is_amiss(found: Finding) -> bool:
    """Whether a finding is one; that a server properly asks for sign-in is only told."""
    return (found.layer, found.code) != ("auth", "required")


def blames(entry: Entry, fail_on: frozenset[Blame]) -> list[Blame]:
    """For what an entry makes the command fail; a skipped one never does."""
    if entry.finished is None:
        return []
    compared, state = entry.compared, entry.state
    happened = {
        Blame.DOWN: state in {State.DOWN, State.UNKNOWN},
        Blame.DEGRADED: state is State.DEGRADED,
        # What could not be looked at cannot be called the same.
        Blame.DRIFT: compared is not None and bool(compared.counted or compared.unread),
        Blame.FINDING: any(is_amiss(found) for found in findings_of(entry.finished)),
    }
    return [blame for blame in Blame if happened[blame] and blame in fail_on]


def blames_of(words: Sequence[str], *, has_baseline: bool) -> frozenset[Blame]:
    """What `--fail-on` asks for, repeated or with commas between; without it, what is not up. Raises InvalidError."""
    named = {word.strip() for text in words for word in text.split(",") if word.strip()}
    unknown = sorted(named - set(Blame))
    if unknown or (words and not named):
        raise InvalidError(
            f"--fail-on does not know {', '.join(unknown)[:80] or 'nothing'}.",
            remedy=f"Write one or more of: {', '.join(Blame)}.",
        )
    if Blame.DRIFT in named and not has_baseline:
        raise InvalidError(
            "--fail-on drift has nothing to compare with.", remedy="Give --baseline FILE as well."
        )
    asked = {Blame(word) for word in named} or {Blame.DEGRADED}
    if Blame.FINDING in asked:
        asked.add(Blame.DEGRADED)
    return frozenset(asked | {Blame.DOWN})

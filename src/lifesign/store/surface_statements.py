"""How the parts of a batch that tell of surfaces are written, and what happens where they are there already."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    String,
    Update,
    and_,
    bindparam,
    case,
    literal_column,
    or_,
    update,
)

from lifesign.store import surface_tables as t
from lifesign.store.statements import insert_into, insert_watched


def snapshot_statement(dialect: str) -> Insert:
    """One that is there already stays, and is known to be in use again: pruning looks at that once more."""
    statement = insert_into(t.snapshots, dialect)
    used = {"used_at": statement.excluded.used_at}
    return statement.on_conflict_do_update(index_elements=["tenant", "digest"], set_=used)


def drift_statement(dialect: str) -> Insert:
    """What the engine holds in memory may be older than what a person accepted or pinned a moment ago.

    Pins are people's alone: the engine writes one only with the first row. A baseline that was pinned while the
    engine did not know of it stays; so does, of two that were accepted, the later one.
    """
    statement = insert_watched(t.drifts, dialect)
    given, stored = statement.excluded, t.drifts.c
    unheard = and_(stored.pinned, ~given.pinned)
    is_theirs = or_(unheard, stored.baseline_since > given.baseline_since)
    kept: dict[str, ColumnElement[Any]] = {
        name: given[name]
        for name in ("current", "current_since", "candidate", "recent", "steady", "unstable")
    }
    for name in ("baseline", "baseline_since"):
        kept[name] = case((is_theirs, stored[name]), else_=given[name])
    keys = ["monitor_id", "region", "audience"]
    return statement.on_conflict_do_update(index_elements=keys, set_=kept)


def change_statement(dialect: str) -> Insert:
    """A line of the timeline is written once."""
    return insert_watched(t.surface_changes, dialect).on_conflict_do_nothing()


def settlement_statement(_dialect: str) -> Update:
    """Every line of one surface that is drift until then."""
    lines = t.surface_changes.c
    until = bindparam("settled_at", type_=lines.at.type)
    return (
        update(t.surface_changes)
        .where(
            lines.monitor_id == bindparam("of_monitor"),
            lines.region == bindparam("of_region"),
            lines.audience == bindparam("of_audience"),
            lines.accepted_by == literal_column("''", String),
            lines.at <= until,
        )
        .values(accepted_at=until, accepted_by=bindparam("settled_by"))
    )

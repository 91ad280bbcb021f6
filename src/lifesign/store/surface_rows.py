"""Surfaces to rows and back; documents are deflated, because they are text that repeats itself."""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from lifesign.core.batch import Settlement, Snapshot
from lifesign.core.drift.values import Change, Drift, Impact, Release, SurfaceChange
from lifesign.store.columns import json_text, to_us

Columns = dict[str, Any]

_digests = msgspec.json.Decoder(tuple[str, ...])
_changes = msgspec.json.Decoder(tuple[Change, ...])


def snapshot_columns(snapshot: Snapshot) -> Columns:
    """A snapshot as columns of driver values; 43 kB of tools take about 1 ms to deflate."""
    return {
        "tenant": snapshot.tenant,
        "digest": snapshot.digest,
        "used_at": to_us(snapshot.at),
        "size": len(snapshot.document),
        "document": zlib.compress(snapshot.document),
    }


def document_of(row: RowMapping) -> bytes:
    """The document in a row of `snapshots`."""
    return zlib.decompress(row["document"], bufsize=row["size"] or 1)


def drift_columns(drift: Drift) -> Columns:
    """What is remembered of a surface, as columns of driver values."""
    return {
        "monitor_id": drift.monitor_id,
        "region": drift.region,
        "audience": drift.audience,
        "tenant": drift.tenant,
        "baseline": drift.baseline,
        "baseline_since": to_us(drift.baseline_since),
        "pinned": drift.pinned,
        "current": drift.current,
        "current_since": to_us(drift.current_since),
        "candidate": drift.candidate,
        "recent": json_text(drift.recent),
        "steady": drift.steady,
        "unstable": drift.unstable,
    }


def drift_of(row: RowMapping) -> Drift:
    """What a row of `drifts` remembers."""
    columns: Mapping[str, Any] = {**row, "recent": _digests.decode(row["recent"])}
    return Drift(**columns)


def change_columns(change: SurfaceChange) -> Columns:
    """A line of the timeline as columns of driver values."""
    return {
        "id": change.id,
        "monitor_id": change.monitor_id,
        "tenant": change.tenant,
        "region": change.region,
        "audience": change.audience,
        "at": to_us(change.at),
        "before": change.before,
        "after": change.after,
        "impact": change.impact.value,
        "changes": json_text(change.changes),
        "accepted_at": None if change.accepted_at is None else to_us(change.accepted_at),
        "accepted_by": change.accepted_by,
    }


def change_of(row: RowMapping) -> SurfaceChange:
    """The line in a row of `surface_changes`."""
    decoded = {"impact": Impact(row["impact"]), "changes": _changes.decode(row["changes"])}
    columns: Mapping[str, Any] = {**row, **decoded}
    return SurfaceChange(**columns)


def settlement_columns(settlement: Settlement) -> Columns:
    """What settles lines of the timeline, under the names of the statement's parameters."""
    return {
        "of_monitor": settlement.monitor_id,
        "of_region": settlement.region,
        "of_audience": settlement.audience,
        "settled_at": to_us(settlement.at),
        "settled_by": settlement.by,
    }


def release_of(row: RowMapping) -> Release:
    """The release in a row of `releases`."""
    return Release(**row)

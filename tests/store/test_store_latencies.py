import asyncio
import math
import random
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy import create_engine, make_url, update

import lifesign.store
from lifesign.core.batch import Batch
from lifesign.core.latency import baseline_of
from lifesign.core.model import Observation
from lifesign.core.rollup import RELATIVE_ERROR, Histogram
from lifesign.store import Retention, Store, open_store
from lifesign.store.tables import hourly
from store.making import OURS, T0, THEIRS, a_run, at

WATCHED = pytest.mark.usefixtures("monitor")
SCRIPTS = Path(lifesign.store.__file__).with_name("migrations")

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def _watch(store: Store, *, hours: int, every_s: int = 600) -> dict[int, float]:
    """Runs over some hours; the milliseconds of `tls` by second, of `dns` a tenth of them."""
    chance = random.Random(3)
    tls = {second: chance.lognormvariate(3, 1) for second in range(0, hours * 3600, every_s)}
    runs = [
        a_run(
            at(seconds=second),
            observation=Observation(phases_ms={"dns": ms / 10, "tls": ms}),
            duration_ms=ms * 1.1,
        )
        for second, ms in tls.items()
    ]
    for first in range(0, len(runs), 200):
        await store.observations.commit(Batch(runs=tuple(runs[first : first + 200])))
    return tls


def _true_p95(values: list[float]) -> float:
    return sorted(values)[math.floor(0.95 * (len(values) - 1))]


@WATCHED
async def test_each_phase_has_percentiles_before_and_after_summing_up(store: Store):
    tls = await _watch(store, hours=50)
    expected = pytest.approx(_true_p95(list(tls.values())), rel=RELATIVE_ERROR + 1e-9)

    fresh = await store.observations.latency(OURS, "m1", T0, at(hours=50))
    await store.observations.roll_up(at(hours=50))
    await store.observations.prune(at(hours=50), Retention(raw=timedelta(0), hourly=timedelta(0)))
    summed = await store.observations.latency(OURS, "m1", T0, at(hours=50))

    assert fresh == summed
    assert list(fresh.phases) == ["dns", "tls"]
    assert fresh.phases["tls"].p95_ms == expected
    assert fresh.phases["tls"].count == fresh.total.count == len(tls)


@WATCHED
async def test_a_series_has_percentiles_of_phases(store: Store):
    await _watch(store, hours=4)
    await store.observations.roll_up(at(hours=4))

    buckets = await store.observations.series(OURS, "m1", T0, at(hours=4), 4)

    assert [bucket.phases["dns"].count for bucket in buckets] == [6, 6, 6, 6]


@WATCHED
async def test_rows_of_an_older_version_are_read_without_phases(store: Store):
    await _watch(store, hours=26)
    await store.observations.roll_up(at(hours=23))
    async with store.observations._database.write() as connection:
        await connection.execute(update(hourly).values(phase_latency=None))

    await store.observations.roll_up(at(hours=26))
    found = await store.observations.latency(OURS, "m1", T0, at(hours=26))

    assert found.total.count == 26 * 6
    assert found.phases["tls"].count == 3 * 6
    points = await store.observations.series(OURS, "m1", T0, at(hours=26), 26)
    assert points[0].phases == {}
    assert list(points[0].phases_ms) == ["dns", "tls"]


@WATCHED
async def test_several_windows_are_read_at_once_and_count_nothing_twice(store: Store):
    await _watch(store, hours=80)
    await store.observations.roll_up(at(hours=80))
    await store.observations.prune(at(hours=80), Retention(raw=DAY, hourly=2 * DAY))

    spans = (HOUR, DAY, 3 * DAY)
    found = await store.observations.latencies(OURS, "m1", until=at(hours=80), spans=spans)

    assert [each.total.count for each in found] == [6, 144, 80 * 6]
    assert [each.phases["dns"].count for each in found] == [6, 144, 80 * 6]


@WATCHED
async def test_the_past_comes_in_slices_of_days_and_hours(store: Store):
    await _watch(store, hours=60)
    await store.observations.roll_up(at(hours=60))

    days = await store.observations.slices(OURS, ["m1", "m2"], since=T0, until=at(hours=58))
    hours = await store.observations.slices(
        OURS, ["m1"], since=T0, until=at(hours=58), by_hour=True
    )

    assert days["m2"] == []
    assert [each.end - each.start for each in days["m1"]] == [DAY] * 2 + [HOUR] * 10
    assert [each.end - each.start for each in hours["m1"]] == [HOUR] * 58
    assert baseline_of(hours["m1"], until=at(hours=58)) == baseline_of(
        days["m1"], until=at(hours=58)
    )


@WATCHED
async def test_nobody_reads_the_latency_of_another_tenant(store: Store):
    await _watch(store, hours=2)

    slices = await store.observations.slices(THEIRS, ["m1"], since=T0, until=at(hours=2))
    found = await store.observations.latencies(THEIRS, "m1", until=at(hours=2), spans=[DAY])

    assert slices == {"m1": []}
    assert found[0].total.count == 0


def _upgrade_to(url: str, revision: str, *then: str) -> None:
    """Bring a database to an older schema, and run some statements on it."""
    name = "sqlite" if url.startswith("sqlite") else "postgresql+psycopg"
    engine = create_engine(make_url(url).set(drivername=name))
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, revision)
        for statement in then:
            connection.exec_driver_sql(statement)
    engine.dispose()


async def test_a_database_of_an_older_version_keeps_what_it_has(url: str):
    latency = Histogram.of([10.0, 20.0, 30.0]).encode().hex()
    blob = f"x'{latency}'" if url.startswith("sqlite") else f"'\\x{latency}'"
    start = int(T0.timestamp() * 1000)
    row = f"'m1', {start}, 'local', 'default', 3, 0, 0, 0, {blob}, '{{\"tcp\":[60.0,3]}}'"
    await asyncio.to_thread(
        _upgrade_to,
        url,
        "0002",
        f"INSERT INTO runs_hourly VALUES ({row})",
        f"UPDATE rollup_progress SET hours_ms = {start + 3_600_000}",
    )

    async with open_store(url) as store:
        found = await store.observations.latency(OURS, "m1", T0, at(hours=1))
        [point] = await store.observations.series(OURS, "m1", T0, at(hours=1), 1)

    assert (found.total.count, found.phases) == (3, {})
    assert point.phases_ms == {"tcp": 20.0}

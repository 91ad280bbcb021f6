"""Opening, migrating, backing up, dying and coming back."""

import asyncio
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from lifesign.core.batch import Batch
from lifesign.core.errors import ConflictError, InvalidError
from lifesign.core.model import Monitor
from lifesign.store import SchemaError, StorageError, Store, open_store
from lifesign.store.tables import metadata
from store.making import OURS, T0, a_monitor, a_ping, a_run, a_state, an_alert

PINGER = """
import asyncio, itertools, sys
from datetime import UTC, datetime
from lifesign.core.batch import Ping
from lifesign.store import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        for n in itertools.count():
            ping = Ping(monitor_id="m1", at=datetime(2026, 3, 1, tzinfo=UTC), action="success", run_id=str(n))
            await store.pings.append([ping])
            print(n, flush=True)

asyncio.run(main())
"""


async def test_everything_is_there_after_a_restart(url: str):
    async with open_store(url) as store:
        monitor = await store.monitors.add(OURS, a_monitor())
        await store.observations.commit(
            Batch(runs=(a_run(),), states=(a_state(),), alerts=(an_alert(),))
        )

    async with open_store(url) as store:
        assert await store.monitors.all_active() == (monitor,)
        assert await store.monitors.all_states() == (a_state(),)
        assert await store.alerts.open_alerts() == [an_alert()]
        assert len((await store.observations.runs(OURS, "m1")).items) == 1


@pytest.mark.slow
async def test_kill_9_loses_no_acknowledged_ping(url: str):
    async with open_store(url) as store:
        await store.monitors.add(OURS, a_monitor(kind="heartbeat"))

    pinger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PINGER, url, stdout=asyncio.subprocess.PIPE
    )
    assert pinger.stdout is not None
    async with asyncio.timeout(30):
        for _ in range(100):
            acknowledged = int(await pinger.stdout.readline())
        pinger.kill()
        while line := await pinger.stdout.readline():
            acknowledged = int(line)
        await pinger.wait()

    async with open_store(url) as store:
        pings = await store.pings.recent(OURS, "m1", 1000)
        if store.dialect == "sqlite":
            found = sqlite3.connect(url.removeprefix("sqlite:///"))
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found.close()
    assert {int(ping.run_id) for ping in pings} >= set(range(acknowledged + 1))


async def test_the_migrations_make_what_the_tables_say(store: Store):
    def compare(connection) -> list:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)

    async with store._database.read() as connection:
        assert await connection.run_sync(compare) == []


def test_every_table_of_people_has_a_tenant():
    without = {table.name for table in metadata.sorted_tables if "tenant" not in table.c}

    assert without == {"rollup_progress", "event_counter"}


async def test_two_processes_may_open_an_empty_database_at_once(url: str):
    async def opened() -> bool:
        async with open_store(url) as store:
            return await store.healthy()

    assert await asyncio.gather(opened(), opened()) == [True, True]


async def test_a_schema_from_the_future_is_refused(url: str):
    async with open_store(url) as store, store._database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaError, match="9999"):
        async with open_store(url):
            pass


async def test_a_backup_under_load_is_whole_and_never_overwrites(tmp_path: Path):
    copy = tmp_path / "copy.db"
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store:
        await store.monitors.add(OURS, a_monitor())
        writes = [store.observations.commit(Batch(runs=(a_run(),))) for _ in range(5)]
        await asyncio.gather(store.backup(copy), *writes)
        with pytest.raises(InvalidError, match="exists"):
            await store.backup(copy)

    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"a.db", "copy.db"}  # noqa: ASYNC240 - a test may
    async with open_store(f"sqlite:///{copy}") as restored:
        assert [monitor.id for monitor in await restored.monitors.all_active()] == ["m1"]


async def test_postgresql_says_how_to_back_it_up(postgres_url: str, tmp_path: Path):
    async with open_store(postgres_url) as store:
        with pytest.raises(InvalidError, match="pg_dump"):
            await store.backup(tmp_path / "copy.db")


async def test_the_database_file_is_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "deep" / "lifesign.db"
    async with open_store(f"sqlite+aiosqlite:///{path}") as store:
        assert store.dialect == "sqlite"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("wrong", ["nonsense", "mysql://a/b", "sqlite://", "sqlite:///:memory:"])
async def test_a_wrong_url_says_what_is_right(wrong: str):
    with pytest.raises(InvalidError, match="sqlite:///"):
        async with open_store(wrong):
            pass


async def test_a_full_disk_makes_the_store_unhealthy_until_a_write_succeeds(tmp_path: Path):
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store:
        monitor: Monitor = a_monitor(description="x" * 200_000)
        async with store._database.write() as connection:
            pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await _limit_pages(store, pages + 2)
        with pytest.raises(StorageError, match="full") as refused:
            await store.monitors.add(OURS, monitor)
        assert "xxx" not in str(refused.value)
        assert not await store.healthy()
        assert await store.outbox.claim(T0, limit=1, lease_s=60) == []
        assert not await store.healthy(), "a transaction without changes proves nothing"

        await _limit_pages(store, 1_000_000)
        await store.monitors.add(OURS, monitor)
        assert await store.healthy()


async def test_a_refused_row_is_no_illness(store: Store):
    await store.monitors.add(OURS, a_monitor())
    await store.observations.commit(Batch(alerts=(an_alert(),)))

    with pytest.raises(ConflictError):
        await store.observations.commit(Batch(alerts=(an_alert("a2"),)))

    assert await store.healthy()


async def test_a_server_that_is_away_is_named():
    with pytest.raises(StorageError, match="failed at"):
        async with open_store("postgresql://127.0.0.1:1/none"):
            pass


async def _limit_pages(store: Store, pages: int) -> None:
    async with store._database._writer.connect() as connection:
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


async def test_a_durable_batch_waits_for_the_disk_and_a_steady_one_does_not(tmp_path: Path):
    """SQLite's `synchronous`: 2 is FULL, 1 is NORMAL."""

    async def promise(store: Store) -> int:
        async with store._database._writer.connect() as connection:
            return (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()

    async with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store:
        await store.monitors.add(OURS, a_monitor())
        await store.observations.commit(Batch(runs=(a_run(),), states=(a_state(),)))
        steady = await promise(store)
        await store.observations.commit(Batch(alerts=(an_alert(),)))
        durable = await promise(store)
        await store.observations.commit(Batch(runs=(a_run(T0),)))
        await store.pings.append([a_ping()])
        pinged = await promise(store)

    assert (steady, durable, pinged) == (1, 2, 2)

"""The file's schema, and how a new, an old or a foreign file is opened."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import create_engine

from shared.errors import StoreUnavailable
from shared.store import migrate, migrations, schema
from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore
from shared.store.sqlite_file import SCHEMA_REVISION
from shared.window import Entry
from shared.window_config import WindowConfig
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, INSTANT, in_thread, key, trade, with_outcome
from tests.shared.store.sqlite.files import ALL, FAST, TABLES, OpenStore, asked, ids_of, tables


def test_the_schema_equals_the_migrations(store: SQLiteStore) -> None:
    engine = create_engine(f"sqlite:///{store.path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_migrations_make_the_very_tables_and_indexes_of_the_schema(store: SQLiteStore, tmp_path: Path) -> None:
    # compare_metadata sees neither a partial index's condition nor WITHOUT ROWID.
    engine = create_engine(f"sqlite:///{tmp_path / 'schema.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    question = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version' ORDER BY name"
    migrated, declared = asked(store.path, question), asked(tmp_path / "schema.db", question)
    assert [(kind, name, " ".join((sql or "").split())) for kind, name, sql in migrated] == [
        (kind, name, " ".join((sql or "").split())) for kind, name, sql in declared
    ]
    assert {name for kind, name, _ in migrated if kind == "table"} == TABLES


def test_the_revision_that_the_store_expects_is_the_newest_migration(store: SQLiteStore) -> None:
    config = Config()
    config.set_main_option("script_location", migrate.SCRIPTS)
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION
    assert asked(store.path, "SELECT version_num FROM alembic_version") == [(SCHEMA_REVISION,)]


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives the program one more migration, of a body that does something and then fails."""

    def add(body: str) -> None:
        scripts = tmp_path / "migrations"
        shutil.copytree(Path(migrations.__path__[0]), scripts)
        header = f'from alembic import op\nrevision = "next"\ndown_revision = "{SCHEMA_REVISION}"\n'
        (scripts / "versions" / "next.py").write_text(f"{header}\n\ndef upgrade():\n    {body}\n")
        monkeypatch.setattr(migrate, "SCRIPTS", str(scripts))

    return add


HALF_DONE = {
    "sql": "op.execute('CREATE TABLE half (done)'); op.execute('DELETE FROM ledger'); op.execute('this is no SQL')",
    "python": "op.execute('CREATE TABLE half (done)'); op.execute('DELETE FROM ledger'); raise LookupError('oops')",
}


@pytest.mark.parametrize("body", HALF_DONE.values(), ids=HALF_DONE)
def test_a_migration_that_fails_leaves_a_new_file_empty(
    open_store: OpenStore,
    path: Path,
    next_migration: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    body: str,
) -> None:
    next_migration(body)
    with pytest.raises((StoreUnavailable, LookupError)):
        open_store().prepare()
    assert tables(path) == set()
    monkeypatch.undo()
    assert open_store().create("w", CONFIG).version == 1


@pytest.mark.parametrize("body", HALF_DONE.values(), ids=HALF_DONE)
def test_a_migration_that_fails_leaves_an_old_file_as_it_was(
    store: SQLiteStore, next_migration: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    store.apply("w", trade("1"), instant=INSTANT)
    store.close()
    next_migration(body)
    with pytest.raises((StoreUnavailable, LookupError)):
        migrate.migrate(store.path, current=SCHEMA_REVISION)
    assert tables(store.path) == {"alembic_version", *TABLES}
    monkeypatch.undo()
    store.prepare()
    assert ids_of(store) == ["1"]


def test_a_file_of_a_newer_program_is_refused_and_left_alone(store: SQLiteStore) -> None:
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '2099'")
    before = store.path.read_bytes()
    for call in (store.prepare, lambda: store.create("w", CONFIG), lambda: store.snapshot("w")):
        with pytest.raises(StoreUnavailable) as raised:
            call()
        assert raised.value.problem == (
            f"{store.path} has the schema 2099, which this version of the program doesn't know"
        )
    assert store.path.read_bytes() == before


def test_a_file_that_turns_newer_while_a_migration_waits_for_its_lock_is_refused(store: SQLiteStore) -> None:
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '2099'")
    with pytest.raises(StoreUnavailable, match="2099"):
        migrate.migrate(store.path, current=None)


def test_somebody_elses_tables_are_refused_in_one_line_and_left_alone(open_store: OpenStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE windows (glass)")
    with pytest.raises(StoreUnavailable, match="windows already exists") as raised:
        open_store().prepare()
    assert "\n" not in str(raised.value)
    assert tables(path) == {"windows"}


def test_a_migration_waits_for_the_lock_only_so_long(
    open_store: OpenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_SECONDS", FAST)
    with FileLock(f"{path}.lock"), pytest.raises(StoreUnavailable, match="another process migrates"):
        in_thread(open_store().prepare).result(DEADLINE_SECONDS)
    open_store().create("w", CONFIG)


def test_stores_of_different_files_open_in_threads_at_once(open_store: OpenStore, tmp_path: Path) -> None:
    ready = threading.Barrier(8)

    def open_and_create(number: int) -> int:
        store = open_store(tmp_path / f"{number}.db")
        ready.wait(DEADLINE_SECONDS)
        return store.create("w", CONFIG).version

    threads = [in_thread(open_and_create, number) for number in range(8)]
    assert [thread.result(DEADLINE_SECONDS) for thread in threads] == [1] * 8
    assert [tables(tmp_path / f"{number}.db") for number in range(8)] == [{"alembic_version", *TABLES}] * 8


def test_one_store_opens_once_for_all_threads(open_store: OpenStore) -> None:
    store, ready = open_store(), threading.Barrier(8)

    def first_use(number: int) -> int:
        ready.wait(DEADLINE_SECONDS)
        store.create("w", CONFIG)
        return store.apply("w", trade(str(number)), instant=INSTANT).after.sequence

    threads = [in_thread(first_use, number) for number in range(8)]
    assert sorted(thread.result(DEADLINE_SECONDS) for thread in threads) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("name", ["a b.db", "a?b=c.db", "100%25#å.db", "file:x.db", "'\".db", "-.db"])
def test_the_file_may_have_any_name(open_store: OpenStore, tmp_path: Path, name: str) -> None:
    store = open_store(tmp_path / "new folder" / "and another" / name)
    store.create("w", CONFIG)
    store.close()
    found = {file.name for file in store.path.parent.iterdir()}
    assert found == {name, f"{name}.lock"}
    assert store.snapshot("w").version == 1


def test_a_trade_of_an_order_from_before_is_found_by_its_name(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    store.create("w", CONFIG)
    confirmed = {"status": "confirmed", "trade_id": "t-1", "client_order_id": "order-1"}
    given_back = {"status": "released", "client_order_id": "t-2"}
    by_hand = {"status": "confirmed", "trade_id": "t-2"}
    entries = (
        *(Entry(id=f"p-{n}", kind="permit", data=d) for n, d in enumerate((confirmed, given_back, by_hand))),
        *(Entry(id=name, kind="trade", data={"strategy": "confirmed client_order_id"}) for name in ("t-1", "t-2")),
    )
    store.apply("w", with_outcome(*entries, answer=None), instant=INSTANT)
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE ledger SET subject = NULL")
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
    found = open_store().ledger("w", LedgerQuery(kind="trade")).entries
    assert {entry.id: entry.subject for entry in found} == {"t-1": "order-1", "t-2": None}


AT_0001 = """
    CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    );
    INSERT INTO alembic_version VALUES ('0001');
    CREATE TABLE windows (
        window_id TEXT NOT NULL, config TEXT NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL,
        sequence INTEGER NOT NULL, PRIMARY KEY (window_id)
    );
    CREATE TABLE ledger (
        window_id TEXT NOT NULL, sequence INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, instant TEXT NOT NULL,
        trade_day TEXT, symbol TEXT, data TEXT NOT NULL, key_endpoint TEXT, key_value TEXT, key_fingerprint TEXT,
        key_answer TEXT, PRIMARY KEY (window_id, sequence)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX ledger_key ON ledger (window_id, key_endpoint, key_value) WHERE key_value IS NOT NULL;
    CREATE INDEX ledger_trade_day ON ledger (window_id, trade_day, sequence) WHERE trade_day IS NOT NULL;
    CREATE INDEX ledger_symbol ON ledger (window_id, symbol, sequence) WHERE symbol IS NOT NULL;
    INSERT INTO windows VALUES (
        'w', '{"start_hour":9,"end_hour":17,"max_trades_per_day":5,"timezone":"Europe/Stockholm"}',
        '{"trade_day":"2025-03-03","trades_today":2,"halt":{"reason":"lunch"}}', 3, 2
    );
    INSERT INTO ledger VALUES (
        'w', 1, 'a', 'trade', '2025-03-03T12:30:15.123456+00:00', '2025-03-03', 'BTC-USD', '{"price":"1.50"}',
        'POST /trades', 'key-1', 'body-1', '{"trades_today":1}'
    );
    INSERT INTO ledger VALUES (
        'w', 2, 'b', 'trade', '2025-03-03T12:30:15.123456+00:00', '2025-03-03', NULL, '{}', NULL, NULL, NULL, NULL
    );
"""
"""What a program with the first migration alone has left."""


def test_a_file_of_the_first_revision_keeps_its_rows_and_gets_subjects(path: Path, open_store: OpenStore) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(AT_0001)
    store = open_store()
    found = store.snapshot("w")
    assert (found.config, found.version, found.sequence) == (CONFIG, 3, 2)
    assert found.state == {"trade_day": "2025-03-03", "trades_today": 2, "halt": {"reason": "lunch"}}
    assert asked(path, "SELECT version_num FROM alembic_version") == [(SCHEMA_REVISION,)]
    assert [(entry.id, entry.data, entry.subject) for entry in store.ledger("w", ALL).entries] == [
        ("b", {}, None),
        ("a", {"price": "1.50"}, None),
    ]
    again = store.apply("w", trade("again"), instant=INSTANT, key=key())
    assert (again.answer, again.replayed) == ({"trades_today": 1}, True)
    store.apply("w", with_outcome(Entry(id="c", kind="note", data={}, subject="p-1"), answer=None), instant=INSTANT)
    [entry] = store.ledger("w", LedgerQuery(subject="p-1")).entries
    assert (entry.sequence, entry.id, entry.subject) == (3, "c", "p-1")
    store.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_a_copy_without_write_ahead_log_gets_it_back(tmp_path: Path) -> None:
    first = SQLiteStore(tmp_path / "first.sqlite3")
    first.create("w", WindowConfig(max_trades_per_day=7))
    first.close()
    with closing(sqlite3.connect(tmp_path / "first.sqlite3")) as connection:
        connection.execute(f"VACUUM INTO '{tmp_path / 'copy.sqlite3'}'")

    copy = SQLiteStore(tmp_path / "copy.sqlite3")
    assert copy.snapshot("w").config.max_trades_per_day == 7
    copy.close()

    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_the_first_opening_leaves_the_event_loop_free(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "w.sqlite3")
    with FileLock(f"{store.path}.lock"):
        opening = asyncio.create_task(store.create_async("w", WindowConfig()))
        deadline = asyncio.get_running_loop().time() + 0.3
        while asyncio.get_running_loop().time() < deadline:
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            assert asyncio.get_running_loop().time() - before < 5
        assert not opening.done()
    assert (await opening).version == 1
    store.close()

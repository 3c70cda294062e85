"""What holds of the cutover's SQLite store beyond the contract: its file, its processes, and what can go wrong."""

import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from fastapi_app.cutover.store import schema
from fastapi_app.cutover.store.base import CutoverStore, ModeTable
from fastapi_app.cutover.store.sqlite import SCHEMA_REVISION, SCRIPTS, SQLiteCutoverStore
from shared.errors import StoreUnavailable
from shared.store.sqlite import SQLiteStore
from shared.store.sqlite_file import SCHEMA_REVISION as WINDOWS_REVISION
from tests.fastapi_app.cutover.store.helpers import BOTH, INSTANT, INVENTORY, MATCH, SEEDED, SHADOW, migrated, mismatch
from tests.shared.store.helpers import DEADLINE_SECONDS, in_thread
from tests.shared.store.processes import run_script

TABLES = {"table_version", "endpoints", "changes", "counts", "mismatches"}

OpenStore = Callable[..., SQLiteCutoverStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cutover.db"


@pytest.fixture
def open_store(path: Path) -> Iterator[OpenStore]:
    opened: list[SQLiteCutoverStore] = []

    def open_one(at: Path = path, **options: Any) -> SQLiteCutoverStore:
        opened.append(SQLiteCutoverStore(at, **{"busy_timeout_seconds": 0.05, **options}))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore, path: Path) -> SQLiteCutoverStore:
    """With the inventory, at version 1."""
    store = open_store(migrated(path))
    store.register(INVENTORY, {}, at=INSTANT)
    return store


def move(store: CutoverStore, **options: Any) -> ModeTable:
    return store.change({BOTH.name: SHADOW}, author="ann", reason="to see", at=INSTANT, **options)


def asked(path: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def told(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


# Schema


def test_the_schema_equals_the_migrations(store: SQLiteCutoverStore) -> None:
    engine = create_engine(f"sqlite:///{store.path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_migrations_make_the_very_tables_and_indexes_of_the_schema(
    store: SQLiteCutoverStore, tmp_path: Path
) -> None:
    # compare_metadata sees neither WITHOUT ROWID nor AUTOINCREMENT.
    engine = create_engine(f"sqlite:///{tmp_path / 'schema.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    question = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version' ORDER BY name"
    migrated, declared = asked(store.path, question), asked(tmp_path / "schema.db", question)
    assert [(kind, name, " ".join((sql or "").split())) for kind, name, sql in migrated] == [
        (kind, name, " ".join((sql or "").split())) for kind, name, sql in declared
    ]
    assert {name for kind, name, _ in migrated if kind == "table"} == TABLES | {"sqlite_sequence"}


def test_the_revision_that_the_store_expects_is_the_newest_migration(store: SQLiteCutoverStore) -> None:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION
    assert asked(store.path, "SELECT version_num FROM alembic_version") == [(SCHEMA_REVISION,)]


def test_the_file_of_the_trading_windows_is_refused_and_the_other_way_round(
    store: SQLiteCutoverStore, open_store: OpenStore, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match=f"has the schema {SCHEMA_REVISION}, which"):
        SQLiteStore(store.path).prepare()
    SQLiteStore(tmp_path / "windows.db").prepare()
    with pytest.raises(StoreUnavailable, match=f"has the schema {WINDOWS_REVISION}, which"):
        open_store(tmp_path / "windows.db").version()


@pytest.mark.parametrize("only_existing", [True, False])
def test_an_sqlite_file_of_something_else_is_refused_and_left_as_it_was(
    open_store: OpenStore, path: Path, only_existing: bool
) -> None:
    told(path, "CREATE TABLE notes (text)")
    before = path.read_bytes()
    store = open_store(only_existing=only_existing)
    for call in (store.version, lambda: store.register(INVENTORY, {}, at=INSTANT)):
        with pytest.raises(StoreUnavailable) as raised:
            call()
        assert raised.value.problem == f"{path} is not a cutover's state file"
    assert ([file.name for file in path.parent.iterdir()], path.read_bytes()) == ([path.name], before)


def test_an_empty_file_becomes_a_store_unless_only_an_existing_one_will_do(open_store: OpenStore, path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnavailable, match="is not a cutover's state file"):
        open_store(only_existing=True).version()
    assert (path.stat().st_size, open_store().version()) == (0, 0)
    assert open_store(only_existing=True).version() == 0


def test_a_file_that_isn_t_there_is_not_made_where_only_an_existing_one_will_do(
    open_store: OpenStore, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(tmp_path / "new" / "cutover.db", only_existing=True).version()
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_can_be_read_by_a_person_with_sqlite3(store: SQLiteCutoverStore) -> None:
    move(store)
    store.add_evidence({MATCH: 2}, [])
    assert asked(store.path, "SELECT endpoint, before, after, author, reason, at FROM changes WHERE version = 2") == [
        (
            "GET /api/both",
            '{"mode":"legacy","percent":null,"sample_rate":1.0}',
            '{"mode":"shadow","percent":null,"sample_rate":0.25}',
            "ann",
            "to see",
            "2025-03-03T12:30:15.123456+00:00",
        )
    ]
    assert asked(store.path, "SELECT * FROM counts") == [("GET /api/both", "shadow", "match", "", 2)]


# The file


def test_nothing_is_opened_before_the_first_use(open_store: OpenStore, tmp_path: Path) -> None:
    open_store()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b.db", "a?b=c.db", "100%25#å.db", "file:x.db", "'\".db", "-.db"])
def test_the_file_may_have_any_name_in_a_folder_that_isn_t_there_yet(
    open_store: OpenStore, tmp_path: Path, name: str
) -> None:
    store = open_store(tmp_path / "new folder" / "and another" / name)
    store.register(INVENTORY, {}, at=INSTANT)
    store.close()
    assert {file.name for file in store.path.parent.iterdir()} == {name, f"{name}.lock"}
    assert store.version() == 1


def test_every_change_is_synced_to_a_write_ahead_log(store: SQLiteCutoverStore) -> None:
    assert asked(store.path, "PRAGMA journal_mode") == [("wal",)]
    with store._connection() as (_file, connection):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_stores_on_one_file_see_each_other(store: SQLiteCutoverStore, open_store: OpenStore) -> None:
    other = open_store()
    assert other.version() == 1
    move(store, version=1)
    assert other.version() == 2
    assert other.table() == ModeTable(2, {**SEEDED, BOTH.name: SHADOW})
    other.add_evidence({MATCH: 1}, [mismatch()])
    assert store.counts() == {MATCH: 1}
    assert [one.id for one in store.mismatches()] == [1]


# What can go wrong


def test_a_locked_file_still_answers_reads_and_refuses_writes_in_time(store: SQLiteCutoverStore) -> None:
    with locked(store.path):
        assert (store.version(), store.table().modes) == (1, SEEDED)
        for write in (
            lambda: move(store),
            lambda: store.add_evidence({MATCH: 1}, [mismatch()]),
            lambda: store.forget(None, author="ann", reason="x", at=INSTANT),
        ):
            with pytest.raises(StoreUnavailable) as raised:
                write()
            assert str(raised.value) == (
                f"the store can't answer: {store.path} has been locked by another process for over 0.05 s"
            )
    assert (store.version(), store.counts(), list(store.mismatches())) == (1, {}, [])
    assert move(store).version == 2


CALLS: dict[str, Callable[[SQLiteCutoverStore], object]] = {
    "version": lambda store: store.version(),
    "table": lambda store: store.table(),
    "endpoints": lambda store: store.endpoints(),
    "register": lambda store: store.register(INVENTORY, {}, at=INSTANT),
    "change": move,
    "log": lambda store: store.log(),
    "add_evidence": lambda store: store.add_evidence({MATCH: 1}, [mismatch()]),
    "forget": lambda store: store.forget([BOTH.name], author="ann", reason="x", at=INSTANT),
    "counts": lambda store: store.counts(),
    "mismatches": lambda store: store.mismatches(),
    "mismatch": lambda store: store.mismatch(1),
}


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("call", [name for name in CALLS if name != "register"])
def test_a_deleted_file_is_noticed_and_not_made_again(store: SQLiteCutoverStore, call: str, is_open: bool) -> None:
    aside = store.path.rename(store.path.with_name("aside.db"))
    if not is_open:
        store.close()
    with pytest.raises(StoreUnavailable) as raised:
        CALLS[call](store)
    assert raised.value.problem == f"{store.path} was deleted while it was in use"
    assert not store.path.exists()
    aside.rename(store.path)
    assert store.table() == ModeTable(1, SEEDED)
    CALLS[call](store)


def test_a_deleted_file_is_made_again_by_registering(store: SQLiteCutoverStore) -> None:
    move(store)
    store.path.unlink()
    assert store.register(INVENTORY, {}, at=INSTANT) == ModeTable(1, SEEDED)
    assert asked(store.path, "SELECT version FROM table_version") == [(1,)]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("found", [b"", b"no database, and never was one. " * 20], ids=["nothing", "something else"])
def test_a_file_put_in_its_place_that_is_none_is_refused(
    store: SQLiteCutoverStore, call: Callable[[SQLiteCutoverStore], object], found: bytes
) -> None:
    store.path.unlink()
    store.path.write_bytes(found)
    if found:
        with pytest.raises(StoreUnavailable, match="file is not a database"):
            call(store)
        return
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="was replaced, and holds no table of modes"):
            store.table()
        with pytest.raises(StoreUnavailable, match="was replaced, and holds no table of modes"):
            store.version()
    assert store.register(INVENTORY, {}, at=INSTANT) == ModeTable(1, SEEDED)
    assert store.version() == 1


def test_a_backup_put_in_its_place_is_used(store: SQLiteCutoverStore, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    told(store.path, f"VACUUM INTO '{backup}'")
    move(store)
    store.close()
    store.version()
    shutil.copy(backup, tmp_path / "copy.db")
    (tmp_path / "copy.db").rename(store.path)
    assert store.version() == 1
    assert store.table() == ModeTable(1, SEEDED)
    assert move(store).version == 2
    assert asked(store.path, "SELECT version FROM table_version") == [(2,)]


def test_a_file_replaced_while_a_change_is_under_way_gets_the_change_or_it_is_refused(
    store: SQLiteCutoverStore, tmp_path: Path
) -> None:
    def replace(_connection: sqlite3.Connection) -> None:
        store.path.rename(tmp_path / "aside.db")

    with pytest.raises(StoreUnavailable, match="was deleted or replaced while it was in use"):
        store._written(replace)


def test_a_folder_that_can_t_be_made_is_named(tmp_path: Path, open_store: OpenStore) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match=r"file/cutover\.db: (File exists|Not a directory)"):
        open_store(tmp_path / "file" / "cutover.db").version()


@pytest.mark.parametrize(
    ("statement", "call", "what"),
    [
        ("""UPDATE endpoints SET mode = '{"mode": "dark"}'""", "table", "the table of modes"),
        ("UPDATE endpoints SET notes = 'none'", "endpoints", "the inventory"),
        ("UPDATE changes SET at = 'yesterday'", "log", "the log"),
        ("UPDATE mismatches SET detail = '{}'", "mismatch", "mismatch 1"),
        ("UPDATE mismatches SET detail = '{}'", "mismatches", "mismatch 1"),
    ],
)
def test_what_isn_t_understood_is_said_to_be_so(
    store: SQLiteCutoverStore, statement: str, call: str, what: str
) -> None:
    store.add_evidence({}, [mismatch()])
    told(store.path, statement)
    with pytest.raises(StoreUnavailable) as raised:
        CALLS[call](store)
    assert raised.value.problem.startswith(f"{what} holds what this version doesn't understand: ")
    assert "\n" not in raised.value.problem


# Processes


RACE = """
import sys
from shared.store import migrate  # before the fork: what is raced is the opening, not the imports
from fastapi_app.cutover.store.base import VersionConflict
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cutover.store.helpers import BOTH, CANARY, INSTANT, INVENTORY, MATCH, mismatch
from tests.shared.store.processes import at_the_same_instant

def use(store, number):
    store.register(INVENTORY, {}, at=INSTANT)
    store.add_evidence({MATCH: 1}, [mismatch()])
    try:
        store.change({BOTH.name: CANARY}, author=str(number), reason="first", at=INSTANT, version=1)
        return 10
    except VersionConflict:
        return 20
    finally:
        store.close()

print(sorted(at_the_same_instant(8, lambda: SQLiteCutoverStore(sys.argv[1], busy_timeout_seconds=30), use)))
"""


def test_of_eight_processes_that_open_a_new_file_and_change_one_version_one_wins(open_store: OpenStore) -> None:
    store = open_store()
    ended = run_script(RACE, store.path)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, str([10] + [20] * 7), "")
    assert store.version() == 2
    assert len(store.log(endpoint=BOTH.name)) == 2
    assert store.counts() == {MATCH: 8}
    assert len(store.mismatches()) == 8


FORK_AFTER_USE = """
import os, sys
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cutover.store.helpers import INSTANT, INVENTORY, MATCH

store = SQLiteCutoverStore(sys.argv[1], busy_timeout_seconds=30)
store.register(INVENTORY, {}, at=INSTANT)
pid = os.fork()
if pid == 0:
    code = 1
    try:
        for _ in range(20):
            store.add_evidence({MATCH: 1}, [])
        store.close()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)
for _ in range(20):
    store.add_evidence({MATCH: 1}, [])
print(os.waitpid(pid, 0)[1], store.counts()[MATCH])
store.close()
"""


def test_a_forked_child_opens_its_own(path: Path) -> None:
    ended = run_script(FORK_AFTER_USE, path)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "0 40", "")
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]


KILLED = """
import os, signal, sys
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cutover.store.helpers import BOTH, INSTANT, INVENTORY, SHADOW

store = SQLiteCutoverStore(sys.argv[1])
store.register(INVENTORY, {}, at=INSTANT)
store.change({BOTH.name: SHADOW}, author="ann", reason="", at=INSTANT)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_change_outlives_its_process(open_store: OpenStore, path: Path) -> None:
    assert run_script(KILLED, path).returncode == -signal.SIGKILL
    assert open_store().table() == ModeTable(2, {**SEEDED, BOTH.name: SHADOW})


def test_threads_open_one_store_at_once(open_store: OpenStore) -> None:
    store = open_store(busy_timeout_seconds=DEADLINE_SECONDS)
    threads = [in_thread(store.register, INVENTORY, {}, at=INSTANT) for _ in range(8)]
    assert [thread.result(DEADLINE_SECONDS) for thread in threads] == [ModeTable(1, SEEDED)] * 8


LIGHT = """
import sys
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
SQLiteCutoverStore(sys.argv[1]).version()
print([name for name in ("alembic", "sqlalchemy") if name in sys.modules])
"""


def test_a_file_on_the_newest_schema_needs_no_migrations(store: SQLiteCutoverStore) -> None:
    ended = run_script(LIGHT, store.path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[]\n", "")

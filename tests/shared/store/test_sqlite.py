"""What holds of the SQLite store beyond the contract: its file, its processes, and what can go wrong with a disk."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import create_engine

from shared.errors import StoreUnavailable, UnknownWindow
from shared.store import migrate, migrations, schema
from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore
from shared.store.sqlite_file import SCHEMA_REVISION
from shared.window import Entry, LedgerEntry, Outcome, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.helpers import (
    CONFIG,
    DEADLINE_SECONDS,
    INSTANT,
    in_thread,
    key,
    permit_of,
    raising,
    reserved,
    trade,
    with_outcome,
)

ALL = LedgerQuery(limit=10_000)
TABLES = {"windows", "ledger", "paper_accounts", "paper_orders"}
FAST = 0.05
"""A busy timeout, in seconds, for tests in which the file stays locked."""

OpenStore = Callable[..., SQLiteStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def open_store(path: Path) -> Iterator[OpenStore]:
    opened: list[SQLiteStore] = []

    def open_one(at: Path = path, **options: Any) -> SQLiteStore:
        opened.append(SQLiteStore(at, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        in_thread(store.close).result(DEADLINE_SECONDS)


@pytest.fixture
def store(open_store: OpenStore) -> SQLiteStore:
    """A store that is open, with a window `w`."""
    store = open_store()
    store.create("w", CONFIG)
    return store


def run_script(script: str, *arguments: object, deadline_seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Runs the script in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=deadline_seconds,
        check=False,
    )


def asked(path: Path, question: str) -> list[Any]:
    """What the file says to somebody else, row by row."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def tables(path: Path) -> set[str]:
    return {name for (name,) in asked(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def ids_of(store: SQLiteStore) -> list[str]:
    return [entry.id for entry in store.ledger("w", ALL).entries]


@contextmanager
def held_writer(store: SQLiteStore) -> Iterator[None]:
    """Holds the store's writer inside a transaction, so that what is handed over meanwhile goes into the next."""
    entered, released = threading.Event(), threading.Event()

    def hold(config: WindowConfig, state: WindowState, _instant: object) -> Outcome[None]:
        entered.set()
        assert released.wait(DEADLINE_SECONDS)
        return Outcome(config, state, (), None)

    holding = in_thread(store.apply, "w", hold, instant=INSTANT)
    assert entered.wait(DEADLINE_SECONDS)
    try:
        yield
    finally:
        released.set()
    holding.result(DEADLINE_SECONDS)


async def hand_over(store: SQLiteStore, *ids: str) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(store.apply_async("w", trade(entry_id), instant=INSTANT)) for entry_id in ids]
    await asyncio.sleep(0)
    return tasks


async def finished(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await asyncio.gather(*tasks, return_exceptions=True)


# Schema and migrations


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


# Processes

FORTY = """
import os, sys
from shared.store import migrate  # before the fork: what is raced is the opening, not the imports
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import CONFIG, INSTANT, trade

barrier_read, barrier_write = os.pipe()
ready_read, ready_write = os.pipe()
children = []
for number in range(40):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(barrier_write)
            store = SQLiteStore(sys.argv[1])
            os.write(ready_write, b".")
            os.read(barrier_read, 1)  # until the parent closes the other end
            store.create("w", CONFIG)
            store.apply("w", trade(str(number)), instant=INSTANT)
            store.close()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    children.append(pid)
for _ in children:
    os.read(ready_read, 1)
os.close(barrier_write)
print([os.waitpid(pid, 0)[1] for pid in children])
"""


@pytest.mark.parametrize("attempt", [1, 2])
def test_forty_processes_open_one_new_file_at_the_same_instant(open_store: OpenStore, path: Path, attempt: int) -> None:
    ended = run_script(FORTY, path)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, str([0] * 40), ""), attempt
    page = open_store().ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == list(range(40, 0, -1))
    assert {entry.id for entry in page.entries} == {str(number) for number in range(40)}


FORK_AFTER_USE = """
import os, sys
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import CONFIG, INSTANT, trade

store = SQLiteStore(sys.argv[1])
store.create("w", CONFIG)
store.apply("w", trade("before"), instant=INSTANT)
store.snapshot("w")
pid = os.fork()
if pid == 0:
    code = 1
    try:
        for number in range(50):
            store.apply("w", trade(f"child-{number}"), instant=INSTANT)
        assert store.snapshot("w").sequence >= 51
        store.close()
        store.apply("w", trade("child-last"), instant=INSTANT)
        code = 0
    finally:
        os._exit(code)
for number in range(50):
    store.apply("w", trade(f"parent-{number}"), instant=INSTANT)
code = os.waitpid(pid, 0)[1]
store.apply("w", trade("after"), instant=INSTANT)
store.close()
print(code, store.snapshot("w").sequence)
"""


def test_a_child_forked_after_use_writes_beside_its_parent(open_store: OpenStore, path: Path) -> None:
    ended = run_script(FORK_AFTER_USE, path)
    assert ended.stdout == "0 103\n", ended.stderr
    page = open_store().ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == list(range(103, 0, -1))
    assert len({entry.id for entry in page.entries}) == 103
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]


KILLED = """
import os, signal, sys
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import CONFIG, INSTANT, key, trade

store = SQLiteStore(sys.argv[1])
store.create("w", CONFIG)
for number in range(25):
    store.apply("w", trade(str(number)), instant=INSTANT, key=key(str(number)))
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_survives_a_kill(open_store: OpenStore, path: Path) -> None:
    ended = run_script(KILLED, path)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert ended.stdout.split() == [str(number) for number in range(25)]
    store = open_store()
    assert ids_of(store) == [str(number) for number in range(24, -1, -1)]
    assert store.apply("w", trade(), instant=INSTANT, key=key("24")).answer == {"trades_today": 25}


IMPORTED = """
import sys
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import INSTANT, trade

store = SQLiteStore(sys.argv[1])
store.prepare()
store.apply("w", trade(), instant=INSTANT)
store.close()
heavy = {"alembic", "sqlalchemy", "filelock", "flask", "fastapi", "starlette"}
print(sorted(heavy & sys.modules.keys()), store.snapshot("w").sequence)
"""


def test_a_prepared_file_is_opened_without_the_machinery_of_migrations(store: SQLiteStore) -> None:
    store.close()
    ended = run_script(IMPORTED, store.path)
    assert ended.stdout == "[] 1\n", ended.stderr


# Files, threads and connections


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Every connection that is opened from now on."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noting_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", noting_connect)
    return made


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_every_connection_writes_ahead_and_waits_for_the_disk(
    store: SQLiteStore, connections: list[sqlite3.Connection]
) -> None:
    store.close()
    store.apply("w", trade(), instant=INSTANT)
    store.snapshot("w")
    in_use = [connection for connection in connections if is_open(connection)]
    assert len(in_use) == 2
    for connection in in_use:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    store.close()
    assert not any(map(is_open, connections))


def test_preparing_leaves_nothing_open(open_store: OpenStore, connections: list[sqlite3.Connection]) -> None:
    threads = threading.active_count()
    store = open_store()
    store.prepare()
    store.prepare()
    assert connections
    assert not any(map(is_open, connections))
    assert threading.active_count() <= threads


def test_a_question_about_an_unknown_window_costs_no_connection(
    store: SQLiteStore, connections: list[sqlite3.Connection]
) -> None:
    for _ in range(5):
        with pytest.raises(UnknownWindow):
            store.snapshot("unknown")
        with pytest.raises(UnknownWindow):
            store.ledger("unknown", ALL)
    assert len(connections) <= 1


async def test_what_waits_is_one_transaction(store: SQLiteStore, connections: list[sqlite3.Connection]) -> None:
    store.close()
    statements: list[str] = []
    store.apply("w", trade("first"), instant=INSTANT)
    for connection in filter(is_open, connections):
        connection.set_trace_callback(statements.append)
    with held_writer(store):
        tasks = await hand_over(store, *[f"trade-{number}" for number in range(60)])
    await finished(tasks)
    assert [statement for statement in statements if not statement.lstrip().startswith(("SELECT", "INSERT"))] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert store.ledger("w", ALL).sequence == 61


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_threads_that_come_and_go_leave_no_files_open(store: SQLiteStore) -> None:
    def open_files() -> int:
        count = 0
        for link in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the listing itself was open, too
                count += str(link.readlink()).startswith(str(store.path))
        return count

    def use(number: int) -> None:
        store.snapshot("w")
        store.ledger("w", ALL)
        store.apply("w", trade(str(number)), instant=INSTANT)
        with pytest.raises(UnknownWindow):
            store.snapshot("unknown")

    in_thread(use, 0).result(DEADLINE_SECONDS)
    after_one = open_files()
    for number in range(1, 30):
        in_thread(use, number).result(DEADLINE_SECONDS)
    assert open_files() == after_one

    for _ in range(4):
        for thread in [in_thread(use, number) for number in range(8)]:
            thread.result(DEADLINE_SECONDS)
    assert open_files() <= after_one + 8 * 2  # a reader has the file and its log open
    store.close()
    assert open_files() == 0


# A file or a disk that says no


def test_a_file_that_is_no_database_is_refused_and_left_alone(open_store: OpenStore, path: Path) -> None:
    path.write_text("nothing but words\n" * 500)
    store = open_store()
    for call in (store.prepare, lambda: store.create("w", CONFIG), lambda: store.snapshot("w")):
        with pytest.raises(StoreUnavailable, match="file is not a database"):
            call()
    assert path.read_text() == "nothing but words\n" * 500
    path.unlink()
    assert store.create("w", CONFIG).version == 1


def test_a_folder_that_is_a_file_is_refused(open_store: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    for path in (tmp_path / "folder" / "state.db", tmp_path / "folder" / "deeper" / "state.db"):
        with pytest.raises(StoreUnavailable, match=r"the folder of .*state\.db can't be made"):
            open_store(path).snapshot("w")
    (tmp_path / "folder").unlink()
    assert open_store(tmp_path / "folder" / "state.db").create("w", CONFIG).version == 1


def test_a_file_that_is_a_folder_is_refused(open_store: OpenStore, path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        open_store().create("w", CONFIG)
    path.rmdir()
    assert open_store().create("w", CONFIG).version == 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_a_locked_file_refuses_writes_answers_reads_and_recovers(
    store: SQLiteStore, open_store: OpenStore
) -> None:
    store.apply("w", trade("before"), instant=INSTANT)
    impatient = open_store(busy_timeout_seconds=FAST)
    impatient.snapshot("w")
    with locked(store.path):
        with pytest.raises(StoreUnavailable, match="database is locked"):
            impatient.apply("w", trade("refused"), instant=INSTANT, key=key())
        with pytest.raises(StoreUnavailable, match="database is locked"):
            impatient.create("v", CONFIG)
        answers = await finished(await hand_over(impatient, *"abc"))
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
        assert impatient.snapshot("w").sequence == 1
        assert ids_of(impatient) == ["before"]
    assert not impatient.apply("w", trade("after"), instant=INSTANT, key=key(body="another")).replayed
    assert ids_of(impatient) == ids_of(store) == ["after", "before"]
    with pytest.raises(UnknownWindow):
        impatient.snapshot("v")


def test_a_new_file_that_is_locked_is_refused_and_recovers(open_store: OpenStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        store = open_store(busy_timeout_seconds=FAST)
        with pytest.raises(StoreUnavailable, match="database is locked"):
            store.create("w", CONFIG)
    assert store.create("w", CONFIG).version == 1


def test_a_writer_waits_for_another_as_long_as_it_was_told(store: SQLiteStore, open_store: OpenStore) -> None:
    patient = open_store(busy_timeout_seconds=DEADLINE_SECONDS)
    with locked(store.path):
        waiting = in_thread(patient.apply, "w", trade(), instant=INSTANT)
        with pytest.raises(TimeoutError):
            waiting.result(FAST)
    assert waiting.result(DEADLINE_SECONDS).after.sequence == 1


FULL_DISK = """
import resource, sys
from pathlib import Path
from shared.errors import StoreUnavailable
from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore
from shared.window import Entry
from tests.shared.store.helpers import CONFIG, INSTANT, key, trade, with_outcome

store = SQLiteStore(sys.argv[1])
store.create("w", CONFIG)
store.apply("w", trade("before"), instant=INSTANT)
store.snapshot("w")
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1] + "-wal").stat().st_size + 10_000, hard))
big = Entry(id="big", kind="trade", data={"text": "x" * 100_000})
for attempt in range(3):
    try:
        store.apply("w", with_outcome(big, answer=None), instant=INSTANT, key=key())
    except StoreUnavailable as exc:
        print(exc.problem)
print([entry.id for entry in store.ledger("w", LedgerQuery()).entries])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(store.apply("w", with_outcome(big, answer=None), instant=INSTANT, key=key()).after.sequence)
print([entry.id for entry in store.ledger("w", LedgerQuery()).entries])
"""


def test_a_disk_that_takes_no_more_refuses_writes_answers_reads_and_recovers(path: Path) -> None:
    ended = run_script(FULL_DISK, path)
    lines = ended.stdout.splitlines()
    assert lines[3:] == ["['before']", "2", "['big', 'before']"], ended.stdout + ended.stderr
    assert set(lines[:3]) <= {"disk I/O error", "database or disk is full"}
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]


# Neighbours in a transaction


async def test_a_job_that_sqlite_refuses_does_not_fail_its_neighbours(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a", "b", "\ud800", "c")
        refused = asyncio.create_task(store.apply_async("w", raising(LookupError("mine")), instant=INSTANT))
        [later] = await hand_over(store, "d")
    a, b, surrogate, c, error, d = await finished([*tasks, refused, later])
    assert type(surrogate) in {UnicodeEncodeError, StoreUnavailable}
    assert type(error) is LookupError
    assert [answer.answer["trades_today"] for answer in (a, b, c, d)] == [1, 2, 3, 4]
    assert [answer.entries[0].sequence for answer in (a, b, c, d)] == [1, 2, 3, 4]
    assert ids_of(store) == ["d", "c", "b", "a"]
    assert store.snapshot("w").state["trades_today"] == 4


async def test_what_would_end_a_thread_fails_its_own_caller_only(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a")
        tasks.append(asyncio.create_task(store.apply_async("w", raising(asyncio.CancelledError()), instant=INSTANT)))
        tasks += await hand_over(store, "b")
    a, cancelled, b = await finished(tasks)
    assert type(cancelled) is asyncio.CancelledError
    assert (a.after.sequence, b.after.sequence) == (1, 2)
    assert ids_of(store) == ["b", "a"]


async def test_a_constraint_that_one_job_breaks_does_not_fail_its_neighbours(store: SQLiteStore) -> None:
    nameless: Any = Entry(id=None, kind="trade", data={})  # type: ignore[arg-type]  # NOT NULL in the file
    with held_writer(store):
        tasks = await hand_over(store, "a")
        tasks.append(asyncio.create_task(store.apply_async("w", with_outcome(nameless, answer=None), instant=INSTANT)))
        tasks += await hand_over(store, "b")
    a, broken, b = await finished(tasks)
    assert type(broken) is StoreUnavailable
    assert (a.after.sequence, b.after.sequence) == (1, 2)
    assert ids_of(store) == ["b", "a"]


async def test_equal_keys_in_one_transaction_write_once(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = [
            asyncio.create_task(store.apply_async("w", trade(str(number)), instant=INSTANT, key=key(body=body)))
            for number, body in enumerate(["same", "same", "other", "same"])
        ]
        await asyncio.sleep(0)
    first, second, other, third = await finished(tasks)
    assert type(other).__name__ == "KeyReused"
    assert [answer.replayed for answer in (first, second, third)] == [False, True, True]
    assert [answer.answer for answer in (first, second, third)] == [{"trades_today": 1}] * 3
    assert ids_of(store) == ["0"]


async def test_a_window_can_be_used_in_the_transaction_that_makes_it(store: SQLiteStore) -> None:
    with held_writer(store):
        creating = asyncio.create_task(store.create_async("v", CONFIG))
        applying = asyncio.create_task(store.apply_async("v", trade("1"), instant=INSTANT))
        again = asyncio.create_task(store.create_async("v", WindowConfig()))
        await asyncio.sleep(0)
    created, applied, known = await finished([creating, applying, again])
    assert (created.sequence, applied.after.sequence) == (0, 1)
    assert known == applied.after == store.snapshot("v")


async def test_the_write_of_a_caller_who_is_cancelled_while_it_waits_is_written(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a", "b")
        tasks[0].cancel()
        await asyncio.wait([tasks[0]], timeout=DEADLINE_SECONDS)
        assert tasks[0].cancelled()
    await finished(tasks)
    assert ids_of(store) == ["b", "a"]


async def test_a_reader_sees_nothing_of_a_transaction_that_is_not_committed(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a")
        assert store.snapshot("w").sequence == 0
        assert store.ledger("w", ALL).entries == ()
    await finished(tasks)
    assert ids_of(store) == ["a"]


async def test_more_writes_than_may_wait_are_refused(open_store: OpenStore) -> None:
    store = open_store(max_waiting_writes=3)
    store.create("w", CONFIG)
    with held_writer(store):
        tasks = await hand_over(store, *"abcde")
        with pytest.raises(StoreUnavailable, match="3 writes are waiting"):
            store.apply("w", trade("f"), instant=INSTANT)
        assert store.snapshot("w").sequence == 0
    answers = await finished(tasks)
    assert [type(answer) for answer in answers[3:]] == [StoreUnavailable, StoreUnavailable]
    assert ids_of(store) == ["c", "b", "a"]
    store.apply("w", trade("later"), instant=INSTANT)


async def test_close_writes_what_was_handed_over(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, *"abc")
        closed = in_thread(store.close)
    closed.result(DEADLINE_SECONDS)
    assert [answer.after.sequence for answer in await finished(tasks)] == [1, 2, 3]
    assert asked(store.path, "SELECT id FROM ledger ORDER BY sequence") == [("a",), ("b",), ("c",)]
    assert not store.path.with_name("state.db-wal").exists()
    store.apply("w", trade("d"), instant=INSTANT)
    assert ids_of(store) == ["d", "c", "b", "a"]


def test_an_entry_is_kept_in_columns_that_people_can_read(store: SQLiteStore) -> None:
    entry = Entry(
        id="a", kind="note", data={"price": "1.50"}, trade_day="2025-03-03", symbol="BTC-USD", subject="permit-1"
    )
    store.apply("w", with_outcome(entry, answer={"ok": True}), instant=INSTANT, key=key())
    assert asked(store.path, "SELECT * FROM ledger") == [
        (
            "w",
            1,
            "a",
            "note",
            "2025-03-03T12:30:15.123456+00:00",
            "2025-03-03",
            "BTC-USD",
            '{"price":"1.50"}',
            "POST /trades",
            "key-1",
            "body-1",
            '{"ok":true}',
            "permit-1",
        )
    ]
    assert asked(store.path, "SELECT * FROM windows") == [
        (
            "w",
            '{"start_hour":9,"end_hour":17,"max_trades_per_day":5,"timezone":"Europe/Stockholm"}',
            '{"trade_day":null,"trades_today":0,"halt":null}',
            1,
            1,
        )
    ]
    [found] = store.ledger("w", ALL).entries
    assert found == LedgerEntry(
        sequence=1,
        id="a",
        kind="note",
        instant=INSTANT,
        data={"price": "1.50"},
        trade_day="2025-03-03",
        symbol="BTC-USD",
        subject="permit-1",
    )


def test_a_keys_answer_lies_in_the_row_of_the_transitions_own_entry(store: SQLiteStore) -> None:
    store.apply("w", reserved(permit_of("p-1"), permit_of("p-2")), instant=INSTANT - timedelta(minutes=1))
    store.apply("w", trade("t"), instant=INSTANT, key=key())
    assert asked(store.path, "SELECT sequence, id, key_value, key_answer FROM ledger ORDER BY sequence") == [
        (1, "p-1-expired", None, None),
        (2, "p-2-expired", None, None),
        (3, "t", "key-1", '{"trades_today":1}'),
    ]


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


def test_a_stored_config_that_is_not_understood_is_said_to_be_so(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "w.sqlite3")
    store.create("w", WindowConfig())
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("""UPDATE windows SET config = '{"timezone": "Mars/Olympus_Mons"}'""")

    with pytest.raises(StoreUnavailable, match="the window 'w' holds what this version doesn't understand"):
        store.snapshot("w")
    store.close()

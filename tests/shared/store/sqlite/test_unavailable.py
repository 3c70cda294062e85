"""A file or a disk that says no."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from shared.errors import StoreUnavailable, UnknownWindow
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, INSTANT, in_thread, key, trade
from tests.shared.store.processes import run_script
from tests.shared.store.sqlite.files import FAST, OpenStore, asked, finished, hand_over, ids_of


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


def test_a_writer_gets_its_turn_among_others_that_hardly_let_go(store: SQLiteStore, open_store: OpenStore) -> None:
    """The file is free for 5 ms out of 100: who comes to look every tenth of a second waits in vain."""
    patient, done = open_store(busy_timeout_seconds=2.0), threading.Event()

    def hold_again_and_again() -> None:
        while not done.is_set():
            with locked(store.path):
                done.wait(0.095)
            time.sleep(0.005)

    holding = in_thread(hold_again_and_again)
    try:
        for number in range(30):
            patient.apply("w", trade(str(number)), instant=INSTANT)
    finally:
        done.set()
    holding.result(DEADLINE_SECONDS)
    assert patient.snapshot("w").sequence == 30


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

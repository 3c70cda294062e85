"""The state file is its owner's alone, for what it holds came from customers."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.errors import StoreUnavailable
from tests.fastapi_app.cutover.store.helpers import INSTANT, INVENTORY, migrated

OPEN_TO_ALL = 0o666
OWNER_S_ALONE = 0o600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cutover.db"


@contextmanager
def registered(path: Path) -> Iterator[SQLiteCutoverStore]:
    with closing(SQLiteCutoverStore(path)) as store:
        store.register(INVENTORY, {}, at=INSTANT)
        yield store


def rights(path: Path) -> dict[str, int]:
    """Of the file and what SQLite has beside it, by the end of the name."""
    files = {suffix: Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm")}
    return {suffix: stat.S_IMODE(file.stat().st_mode) for suffix, file in files.items()}


def test_a_new_file_is_its_owner_s_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with registered(path):
        assert rights(path) == {"": OWNER_S_ALONE, "-wal": OWNER_S_ALONE, "-shm": OWNER_S_ALONE}
    assert caplog.text == ""


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_file_that_is_open_to_others_becomes_its_owner_s_alone(
    path: Path, caplog: pytest.LogCaptureFixture, is_empty: bool
) -> None:
    if is_empty:
        path.touch()
    else:
        migrated(path)
    path.chmod(0o644)
    with registered(path):
        assert rights(path) == {"": OWNER_S_ALONE, "-wal": OWNER_S_ALONE, "-shm": OWNER_S_ALONE}
    assert caplog.messages == [
        f"{path} was open to others than its owner (its mode was 0644), and is its owner's alone now"
    ]


def test_so_does_what_an_earlier_process_has_left_beside_it(path: Path, tmp_path: Path) -> None:
    with registered(path), closing(sqlite3.connect(path)) as other:
        # SQLite keeps both files while a connection is open.
        other.execute("SELECT version FROM table_version").fetchone()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").chmod(OPEN_TO_ALL)
        # The link's own name has nothing beside it.
        link = tmp_path / "link.db"
        link.symlink_to(path)
        with closing(SQLiteCutoverStore(link)) as store:
            assert store.version() == 1
            assert rights(path) == {"": OWNER_S_ALONE, "-wal": OWNER_S_ALONE, "-shm": OWNER_S_ALONE}


def test_a_command_leaves_it_as_it_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    migrated(path).chmod(OPEN_TO_ALL)
    with closing(SQLiteCutoverStore(path, only_existing=True)) as store:
        assert store.version() == 0
    assert stat.S_IMODE(path.stat().st_mode) == OPEN_TO_ALL
    assert caplog.text == ""


def test_somebody_else_s_is_used_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrated(path).chmod(OPEN_TO_ALL)
    somebody_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    with registered(path) as store:
        assert store.version() == 1
    assert stat.S_IMODE(path.stat().st_mode) == OPEN_TO_ALL


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("CREATE TABLE notes (text)", "is not a cutover's state file"),
        ("CREATE TABLE alembic_version AS SELECT 'newer' AS version_num", "has the schema newer, which"),
    ],
)
def test_what_is_refused_keeps_its_rights(path: Path, table: str, sentence: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(table)
    path.chmod(OPEN_TO_ALL)
    with closing(SQLiteCutoverStore(path)) as store, pytest.raises(StoreUnavailable, match=sentence):
        store.version()
    assert stat.S_IMODE(path.stat().st_mode) == OPEN_TO_ALL

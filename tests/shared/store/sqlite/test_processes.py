"""Many processes at one file: at its first opening, after a fork, and when one is killed."""

import signal
from pathlib import Path

import pytest

from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import INSTANT, key, trade
from tests.shared.store.processes import run_script
from tests.shared.store.sqlite.files import ALL, OpenStore, asked, ids_of

FORTY = """
import sys
from shared.store import migrate  # before the fork: what is raced is the opening, not the imports
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import CONFIG, INSTANT, trade
from tests.shared.store.processes import at_the_same_instant

def use(store, number):
    store.create("w", CONFIG)
    store.apply("w", trade(str(number)), instant=INSTANT)
    store.close()
    return 0

print(at_the_same_instant(40, lambda: SQLiteStore(sys.argv[1]), use))
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

"""What a command doesn't need isn't imported: half of a short command's time would go there."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.cutover.commands import with_evidence
from tests.fastapi_app.cutover.store.helpers import INSTANT, INVENTORY, migrated

HEAVY = {
    "a2wsgi",
    "alembic",
    "fastapi",
    "fastapi_app.app",
    "fastapi_app.bot.replay",
    "fastapi_app.main_bot_async",
    "fastapi_app.trading_window_async",
    "fastapi_app.window.schedule",
    "flask",
    "jinja2",
    "legacy_flask",
    "multiprocessing",
    "shared.bot.strategy_set",
    "shared.exchange_client",
    "shared.ports",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "werkzeug",
}

RUN = """
import sys
from fastapi_app.cli.main import main
for line in sys.argv[1:]:
    sys.argv[1:] = line.split("|")
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, line
sys.stderr.write(" ".join(sys.modules))
"""


def loaded_by(*lines: str) -> set[str]:
    """The modules of a fresh process that runs these command lines, whose words a `|` parts."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *lines],
        env={name: value for name, value in os.environ.items() if not name.upper().startswith("TRADEWINDOW_")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_help_needs_neither_the_stacks_nor_the_bot() -> None:
    loaded = loaded_by("--help", "bot|--help", "bot|replay|--help", "cutover|--help", "serve|--help")
    assert "fastapi_app.cli.commands" in loaded
    assert loaded & HEAVY == set()


def test_the_commands_of_the_cutover_need_its_store_and_no_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = "--state|kept.db"
    with closing(SQLiteCutoverStore(migrated(Path("kept.db")))) as store:
        store.register(INVENTORY, {}, at=INSTANT)
        with_evidence(store)
    loaded = loaded_by(
        f"cutover|list|{state}",
        f"cutover|show|GET /api/both|{state}",
        f"cutover|set|GET /api/both|shadow|--reason|x|--author|ann|{state}",
        f"cutover|log|{state}",
        f"cutover|mismatches|{state}",
        f"cutover|mismatches|1|--json|{state}",
        f"cutover|forget|GET /api/both|--reason|x|--author|ann|{state}",
    )
    assert "fastapi_app.cutover.store.sqlite" in loaded
    assert loaded & HEAVY == set()

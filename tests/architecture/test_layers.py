import pkgutil
import subprocess
import sys
from pathlib import Path

import fastapi_app
import legacy_flask
import shared

ROOT = Path(__file__).parents[2]


def in_a_fresh_interpreter(code: str) -> str:
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_import_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_library_needs_no_database_and_no_web_framework() -> None:
    loaded = in_a_fresh_interpreter("import fastapi_app.trading_window_async, sys; print(*sys.modules)").split()
    heavy = {"a2wsgi", "alembic", "fastapi", "flask", "sqlalchemy", "starlette", "uvicorn", "werkzeug"}
    assert "fastapi_app.trading_window_async" in loaded
    assert heavy.intersection(loaded) == set()


def test_a_market_that_needs_no_extra_loads_none() -> None:
    loaded = in_a_fresh_interpreter("import shared.market.opening, sys; print(*sys.modules)").split()
    assert "shared.exchange_client" in loaded
    assert {"aiohttp", "ccxt", "pyarrow", "stamina", "tenacity"}.intersection(loaded) == set()


def test_every_module_of_the_distribution_imports() -> None:
    names = [
        module.name
        for package in (shared, legacy_flask, fastapi_app)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        # Alembic runs these as scripts, inside a migration.
        if not module.name.endswith(".migrations.env")
    ]
    assert {"shared.window", "legacy_flask.blueprints.health", "fastapi_app.cli.main"} <= set(names)
    in_a_fresh_interpreter("\n".join(f"import {name}" for name in names))

"""Rules that the old side doesn't know, and the endpoints that it serves: never both, whoever tries."""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from fastapi_app.app import create_app
from fastapi_app.cli.cutover import cutover
from shared.errors import SettingsError
from shared.modes import EndpointMode, Mode
from shared.settings import CutoverSettings, Settings, StoreSettings
from shared.window_config import WindowConfig
from tests.fastapi_app.routers.bench import LEGACY_TRADES, MONDAY_NOON, TRADE, Bench, read
from tests.shared.store.helpers import with_outcome

JUDGING = (
    "GET /api/status",
    "GET /api/trading-window/within-window",
    "GET /api/trading-window/can-trade",
    "POST /api/trading-window/trades",
    "GET /api/trading-window/config",
    "PUT /api/trading-window/config",
    "POST /api/orders",
)
ALL_NATIVE: dict[str, Mode] = dict.fromkeys(JUDGING, "native")
CONFIG = "/api/windows/default/config"
ORDERS = "/api/orders"
ORDER = {"symbol": "BTC-USD", "side": "buy", "type": "market", "quantity": "0.50"}
DEFAULTS = {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}

BEYOND: dict[str, dict[str, Any]] = {
    "intervals": {"intervals": [{"start": "22:00", "end": "06:00"}]},
    "calendar": {"calendar": "XSTO"},
    "blackouts": {"blackouts": [{"start": "2025-03-03T10:00:00Z", "end": "2025-03-03T11:00:00Z", "reason": "news"}]},
    "weekly_blackouts": {"weekly_blackouts": [{"start": "16:55", "end": "17:05", "reason": "rollover"}]},
    "day_turns_at": {"day_turns_at": "17:00"},
    "day_timezone": {"day_timezone": "America/New_York"},
    "symbol_limits": {"symbol_limits": {"BTC-USD": 1}},
    "side_limits": {"side_limits": {"sell": 1}},
    "strategy_limits": {"strategy_limits": {"*": 1}},
    "cooldown_seconds": {"cooldown_seconds": 1},
    "symbol_cooldown_seconds": {"symbol_cooldown_seconds": 1},
}


def refusal(keys: str, endpoints: str) -> dict[str, str]:
    return {
        "error": f"the old side doesn't know {keys}, and these endpoints are not in mode native: {endpoints}; "
        "move them first (tradewindow cutover set ... native), or leave those keys out"
    }


@pytest.fixture
async def native() -> AsyncIterator[Bench]:
    """All that judges is native."""
    bench = Bench(ALL_NATIVE)
    yield bench
    await bench.http.aclose()


@pytest.fixture
async def legacy() -> AsyncIterator[Bench]:
    """All that judges is legacy."""
    bench = Bench()
    yield bench
    await bench.http.aclose()


# A change of the config


@pytest.mark.parametrize(("key", "config"), BEYOND.items(), ids=BEYOND)
async def test_each_key_that_the_old_side_does_not_know_waits_for_the_endpoints(
    legacy: Bench, native: Bench, key: str, config: dict[str, Any]
) -> None:
    before = legacy.everything()
    assert await legacy.ask("PUT", CONFIG, config, status=409) == refusal(key, ", ".join(JUDGING))
    assert legacy.everything() == before
    assert (await native.ask("PUT", CONFIG, config))["version"] == 2


@pytest.mark.parametrize("endpoint", JUDGING)
async def test_one_endpoint_that_judges_on_the_old_side_is_enough(endpoint: str) -> None:
    bench = Bench({**ALL_NATIVE, endpoint: "legacy"})
    answer = await bench.ask("PUT", CONFIG, {"cooldown_seconds": 5, "calendar": "XSTO", "end_hour": 9}, status=409)
    assert answer == refusal("calendar, cooldown_seconds", endpoint)
    await bench.http.aclose()


@pytest.mark.parametrize("mode", ["shadow", "verify"])
async def test_to_be_compared_is_to_judge(mode: Mode) -> None:
    bench = Bench({**ALL_NATIVE, "GET /api/status": mode})
    answer = await bench.ask("PUT", CONFIG, {"cooldown_seconds": 5}, status=409)
    assert answer == refusal("cooldown_seconds", "GET /api/status")
    await bench.http.aclose()


async def test_endpoints_that_judge_nothing_may_be_on_either_side(native: Bench) -> None:
    response = await native.http.get("/api/health")
    assert response.headers["x-cutover-side"] == "legacy"
    await native.ask("PUT", CONFIG, {"cooldown_seconds": 5})


async def test_keys_of_permits_and_those_that_the_old_side_knows_are_free(legacy: Bench) -> None:
    changes = {"permit_seconds": 5, "in_doubt_after_seconds": 6, "confirm_while_halted": False, "end_hour": 23}
    assert await legacy.ask("PUT", CONFIG, changes) == {"config": {**DEFAULTS, **changes}, "version": 2}
    assert (await legacy.ask("POST", LEGACY_TRADES, TRADE, status=201))["trades_today"] == 1
    spelled_out: dict[str, Any] = {"cooldown_seconds": 0, "calendar": None, "intervals": [], "day_turns_at": "00:00"}
    assert (await legacy.ask("PUT", CONFIG, spelled_out))["version"] == 2


async def test_other_windows_are_free(legacy: Bench) -> None:
    path = await legacy.made(cooldown_seconds=5)
    await legacy.ask("PUT", f"{path}/config", {"calendar": "XSTO", "day_turns_at": "session"})


async def test_a_wrong_config_is_told_as_wrong(legacy: Bench) -> None:
    answer = await legacy.ask("PUT", CONFIG, {"cooldown_seconds": -1}, status=400)
    assert answer == {"error": "cooldown_seconds: -1 is not a whole number from 0 to 604800"}


async def test_the_old_side_that_meets_such_a_config_answers_503_and_counts_nothing(legacy: Bench) -> None:
    def change(config: WindowConfig, state: Any, instant: Any) -> Any:
        return with_outcome(answer=None)(config.changed({"cooldown_seconds": 60}), state, instant)

    legacy.store.apply("default", change, instant=MONDAY_NOON)
    before = legacy.everything()
    sentence = "the window's config needs the new side, for the old one doesn't know: cooldown_seconds"
    for name in JUDGING:
        method, path = name.split(" ")
        body = {LEGACY_TRADES: TRADE, ORDERS: ORDER}.get(path) or {"PUT": {"end_hour": 9}}.get(method)
        assert await legacy.ask(method, path, body, status=503) == {"error": sentence}
    assert legacy.everything() == before
    await legacy.ask("PUT", CONFIG, {"cooldown_seconds": 0})
    await legacy.ask("POST", LEGACY_TRADES, TRADE, status=201)


# A move of an endpoint


class Product:
    """The app on files of its own, with a client of it, of the cutover's API and of the command line."""

    def __init__(self, folder: Path, modes: Mapping[str, Mode]) -> None:
        self._token = folder / "cutover.token"
        self.settings = settings_in(folder, modes)
        self.app = create_app(self.settings)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://window.test")

    async def put_config(self, changes: dict[str, Any], status: int = 200) -> dict[str, Any]:
        return read(await self.http.put(CONFIG, json=changes), status)

    async def move(self, endpoint: str, mode: dict[str, Any], status: int = 200) -> dict[str, Any]:
        """Over HTTP."""
        return read(
            await self.http.put(
                "/cutover/modes",
                json={"changes": {endpoint: mode}, "author": "ann", "reason": "a test"},
                headers={"authorization": f"Bearer {self._token.read_text().strip()}"},
            ),
            status,
        )

    def modes(self) -> dict[str, str]:
        return {name: self.app.cutover.store.table().modes[name].mode for name in JUDGING}


def settings_in(folder: Path, modes: Mapping[str, Mode], **window: Any) -> Settings:
    return Settings(
        window=WindowConfig(**window),
        store=StoreSettings(path=folder / "state.sqlite3"),
        cutover=CutoverSettings(
            modes={name: EndpointMode(mode=mode) for name, mode in modes.items()},
            path=folder / "cutover.sqlite3",
            token_path=folder / "cutover.token",
        ),
    )


@asynccontextmanager
async def running(folder: Path, modes: Mapping[str, Mode]) -> AsyncIterator[Product]:
    product = Product(folder, modes)
    async with product.app.cutover.running(), product.http:
        yield product
    product.app.cutover.store.close()


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    """With a cooldown in force, and all that judges native."""
    async with running(tmp_path, ALL_NATIVE) as product:
        await product.put_config({"cooldown_seconds": 60, "symbol_limits": {"*": 2}})
        yield product


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """`tradewindow cutover`, which reads the settings of the product."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("TRADEWINDOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRADEWINDOW_STORE__PATH", str(tmp_path / "state.sqlite3"))
    monkeypatch.setenv("TRADEWINDOW_CUTOVER__PATH", str(tmp_path / "cutover.sqlite3"))
    return CliRunner()


def stays(endpoints: str) -> str:
    return (
        "the window 'default' has rules that the old side doesn't know: symbol_limits, cooldown_seconds; "
        f"so these stay in mode native: {endpoints}. To go back, take those keys out first: "
        "PUT /api/windows/default/config with their defaults"
    )


NOT_NATIVE: dict[str, dict[str, Any]] = {
    "legacy": {"mode": "legacy"},
    "shadow": {"mode": "shadow"},
    "canary": {"mode": "canary", "percent": 100},
    "verify": {"mode": "verify", "sample_rate": 0},
}


@pytest.mark.parametrize("mode", NOT_NATIVE.values(), ids=NOT_NATIVE)
async def test_by_http_no_judging_endpoint_moves_back_while_the_rules_stand(
    product: Product, mode: dict[str, Any]
) -> None:
    before = product.app.cutover.store.table()
    for endpoint in JUDGING:
        assert await product.move(endpoint, mode, 422) == {"error": stays(endpoint)}
    assert product.app.cutover.store.table() == before
    await product.move("GET /api/health", mode)
    await product.move("GET /api/status", {"mode": "native"})


async def test_once_the_keys_are_taken_out_it_moves_and_then_they_are_refused(product: Product) -> None:
    trades = "POST /api/trading-window/trades"
    await product.put_config({"cooldown_seconds": 0})
    assert (await product.move(trades, {"mode": "legacy"}, 422))["error"].startswith(
        "the window 'default' has rules that the old side doesn't know: symbol_limits; so these stay"
    )
    await product.put_config({"symbol_limits": {}})
    await product.move(trades, {"mode": "legacy"})
    response = await product.http.post(LEGACY_TRADES, json=TRADE)
    assert (response.status_code, response.headers["x-cutover-side"]) == (201, "legacy")
    assert await product.put_config({"cooldown_seconds": 60}, 409) == refusal("cooldown_seconds", trades)
    await product.move(trades, {"mode": "native"})
    await product.put_config({"cooldown_seconds": 60})


async def test_by_command_no_judging_endpoint_moves_back_while_the_rules_stand(
    product: Product, command: CliRunner
) -> None:
    for endpoint in JUDGING:
        told = command.invoke(cutover, ["set", endpoint, "legacy", "--reason", "back", "--author", "ann"])
        assert (told.exit_code, told.stdout) == (3, "")
        assert told.stderr == f"tradewindow cutover: {stays(endpoint)}\n"
    assert product.modes() == ALL_NATIVE


ALL_BACK = ["set", "--all", "legacy", "--reason", "back", "--author", "ann"]


async def test_by_command_all_go_back_but_those_that_can_t(product: Product, command: CliRunner) -> None:
    await product.move("GET /api/health", {"mode": "native"})
    told = command.invoke(cutover, ALL_BACK)
    assert (told.exit_code, told.stderr) == (3, f"tradewindow cutover: {stays(', '.join(JUDGING))}\n")
    assert "GET /api/health: native → legacy" in told.stdout.splitlines()
    assert "GET /api/status" not in told.stdout
    assert product.modes() == ALL_NATIVE


async def test_by_command_of_several_that_are_named_all_move_or_none(product: Product, command: CliRunner) -> None:
    await product.move("GET /api/health", {"mode": "native"})
    told = command.invoke(cutover, ["set", "GET /api/health", *BACK[1:]])
    assert (told.exit_code, told.stdout) == (3, "")
    assert told.stderr == f"tradewindow cutover: {stays('GET /api/status')}. Nothing was moved\n"
    assert product.modes() == ALL_NATIVE
    assert product.app.cutover.store.table().modes["GET /api/health"].mode == "native"


async def test_by_command_it_moves_once_the_keys_are_taken_out(product: Product, command: CliRunner) -> None:
    await product.put_config({"cooldown_seconds": 0, "symbol_limits": {}})
    told = command.invoke(cutover, ["set", "GET /api/status", "legacy", "--reason", "back", "--author", "ann"])
    assert told.exit_code == 0, told.output
    assert product.modes() == {**ALL_NATIVE, "GET /api/status": "legacy"}
    assert await product.put_config({"cooldown_seconds": 60}, 409) == refusal("cooldown_seconds", "GET /api/status")


async def test_by_command_all_may_go_back_with_keys_of_permits_alone(product: Product, command: CliRunner) -> None:
    await product.put_config({"cooldown_seconds": 0, "symbol_limits": {}, "permit_seconds": 5})
    told = command.invoke(cutover, ["set", "--all", "legacy", "--reason", "back", "--author", "ann"])
    assert told.exit_code == 0, told.output
    assert set(product.modes().values()) == {"legacy"}


BACK = ["set", "GET /api/status", "legacy", "--reason", "back", "--author", "ann"]


async def test_by_command_with_the_product_s_own_file_named_it_is_the_same(
    product: Product, command: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "link.sqlite3").symlink_to(tmp_path / "cutover.sqlite3")
    for name in ("cutover.sqlite3", "link.sqlite3"):
        for path in (name, str(tmp_path / name)):
            told = command.invoke(cutover, [*BACK, "--state", path])
            assert (told.exit_code, told.stderr) == (3, f"tradewindow cutover: {stays('GET /api/status')}\n")
    assert product.modes() == ALL_NATIVE


async def test_by_command_another_app_s_endpoint_of_the_same_name_moves_freely(
    product: Product, command: CliRunner, tmp_path: Path
) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    async with running(folder, ALL_NATIVE) as another:
        told = command.invoke(cutover, [*BACK, "--state", str(folder / "cutover.sqlite3")])
        assert told.exit_code == 0, told.output
        assert another.modes() == {**ALL_NATIVE, "GET /api/status": "legacy"}
    assert product.modes() == ALL_NATIVE


# The start


async def test_a_start_that_finds_both_says_so_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path, ALL_NATIVE) as product:
        await product.put_config({"cooldown_seconds": 60})
        with caplog.at_level(logging.ERROR, "fastapi_app.app"):
            create_app(product.settings)
        assert caplog.records == []
    unseen = settings_in(tmp_path, {**ALL_NATIVE, "GET /api/status": "legacy"}, cooldown_seconds=60)
    unseen = unseen.model_copy(
        update={"cutover": unseen.cutover.model_copy(update={"path": tmp_path / "another-cutover.sqlite3"})}
    )
    with caplog.at_level(logging.ERROR, "fastapi_app.app"):
        create_app(unseen)
    assert [record.getMessage() for record in caplog.records] == [
        f"{refusal('cooldown_seconds', 'GET /api/status')['error']}; until then the old side answers 503"
    ]


def test_a_seed_that_the_old_side_does_not_know_stops_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app(settings_in(tmp_path, {}, cooldown_seconds=60, calendar="XSTO"))
    sentence = refusal("calendar, cooldown_seconds", ", ".join(JUDGING))["error"]
    assert str(caught.value) == f"window: {sentence} (or [cutover.modes] says so at the first start)"
    assert list(tmp_path.iterdir()) == []


def test_a_seed_with_a_calendar_that_can_t_be_had_stops_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app(settings_in(tmp_path, ALL_NATIVE, calendar="XNIX"))
    assert str(caught.value) == (
        'window.calendar: "XNIX" is not the code of a calendar that exchange_calendars knows, such as XSTO'
    )
    assert list(tmp_path.iterdir()) == []


def test_a_seed_with_all_that_judges_native_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    create_app(settings_in(tmp_path, ALL_NATIVE, cooldown_seconds=60))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

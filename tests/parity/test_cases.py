"""Every case on every arm: what comes back and what is left, against the case's literals and between the arms."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from fastapi_app.app import create_app
from fastapi_app.bot.backtest import run_backtest as new_bot
from legacy_flask.backtest import run_backtest as old_bot
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.base import Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import LedgerEntry, Snapshot, WindowState
from shared.window_config import WindowConfig
from shared.wire_fields import plain_decimal
from tests.parity.arms import ARMS, ARMS_OF_NATIVE_ONLY, Arm, Leftovers, World, serving, sides
from tests.parity.case import Answer, Case, Left, Request
from tests.parity.cases import CASES
from tests.parity.endpoints import BOTH_SIDES, endpoint_of, rule_of

ROWS_OF_DIFFERENCES = {1, 2, *range(4, 16), 18, 25, 26, 27, 29, 33, 35, 36, 37, 40}
"""Those of the list of differences between the two frameworks that these endpoints can meet."""

DOCUMENTS = {"GET /docs", "GET /docs/oauth2-redirect", "GET /openapi.json", "GET /redoc"}
OF_LEGACY_ALONE = {"GET /static/<path:filename>"}
MANY_WINDOWS = "/api/windows"
"""Where there is nothing to compare: the old side never had these, and they have tests of their own."""


def _named(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_a_case_in_memory(case: Case) -> None:
    _check(case, {arm: MemoryStore() for arm in _arms(case)})


@pytest.mark.parametrize("case", [case for case in CASES if case.also_on_sqlite], ids=_named)
def test_a_case_on_sqlite(case: Case, empty_file: Path, tmp_path: Path) -> None:
    stores: dict[Arm, SQLiteStore] = {}
    for arm in _arms(case):
        path = shutil.copy(empty_file, tmp_path / f"{arm}.sqlite3")
        stores[arm] = SQLiteStore(path)
    try:
        _check(case, stores)
    finally:
        for store in stores.values():
            store.close()


def _arms(case: Case) -> tuple[Arm, ...]:
    return ARMS_OF_NATIVE_ONLY if case.native_only else ARMS


def _check(case: Case, stores: Mapping[Arm, Store]) -> None:
    observed: dict[Arm, tuple[list[Answer], Leftovers]] = {}
    for arm, store in stores.items():
        world = World(case, store, backtest=old_bot if arm == "Flask alone" else new_bot)
        before = world.left()
        with serving(arm, world) as serve:
            taken = [world.take(step, serve) for step in case.steps]
        served = [one for one in taken if one is not None]
        observed[arm] = ([answer for answer, _ in served], world.left())
        _check_answers(case, arm, served)
        _check_left(case, before, world.left())
    first = next(iter(observed.values()))
    assert all(each == first for each in observed.values())


def _check_answers(case: Case, arm: Arm, served: list[tuple[Answer, str | None]]) -> None:
    exchanges = [step for step in case.steps if isinstance(step, tuple)]
    for (request, expected), (answer, _) in zip(exchanges, served, strict=True):
        assert answer == expected, f"{arm}: {request}"
    assert [side for _, side in served] == sides(arm, case), arm


def _check_left(case: Case, before: Leftovers, after: Leftovers) -> None:
    old = before.ledger.entries
    assert after.ledger.entries[len(after.ledger.entries) - len(old) :] == old
    assert [entry.sequence for entry in after.ledger.entries] == list(range(after.window.sequence, 0, -1))
    if case.leaves is None:
        assert after == before
        return
    added: tuple[LedgerEntry, ...] = tuple(reversed(after.ledger.entries[: len(after.ledger.entries) - len(old)]))
    assert added == case.leaves.ledger
    state: dict[str, Any] = {**after.window.state}
    tally, last_trades = state.pop("tally", None), state.pop("last_trades", None)
    permits = {permit["id"]: permit["status"] for permit in state.pop("permits", {}).values()}
    plain = cast("WindowState", state)
    expected = _snapshot(case, case.leaves, sequence=len(old) + len(case.leaves.ledger))
    assert after.window._replace(state=plain) == expected
    assert permits == case.leaves.permits
    shown = tuple(f"{order.id} {order.status} {plain_decimal(order.filled_quantity)}" for order in after.orders)
    assert shown == case.leaves.orders
    since = "" if after.bot.started_at is None else f" since {after.bot.started_at:%Y-%m-%dT%H:%M:%SZ}"
    assert f"{after.bot.desired}{since}" == case.leaves.bot
    assert case.leaves.tally in (None, tally)
    assert case.leaves.last_trades in (None, last_trades)


def _snapshot(case: Case, left: Left, *, sequence: int) -> Snapshot:
    return Snapshot(
        window_id="default",
        config=WindowConfig(**{**case.config, **left.config}),
        state={
            "trade_day": left.trade_day,
            "trades_today": left.trades_today,
            "halt": None if left.halt is None else {"reason": left.halt},
        },
        version=left.version,
        sequence=sequence,
    )


def test_every_endpoint_of_the_inventory_has_a_case() -> None:
    app = create_app(Settings(), live_ports=LivePorts(store=MemoryStore()))
    endpoints = {endpoint.name: endpoint for endpoint in app.cutover.inventory.endpoints}
    covered = {endpoint_of(request) for case in CASES for request in _requests(case)}
    many_windows = {name for name in endpoints if name.partition(" ")[2].startswith(MANY_WINDOWS)}
    assert endpoints.keys() - DOCUMENTS - OF_LEGACY_ALONE - many_windows - covered == set()
    assert not any(endpoints[name].legacy for name in many_windows)
    assert {name for name, endpoint in endpoints.items() if endpoint.legacy and endpoint.native} == set(BOTH_SIDES)


def test_each_get_endpoint_has_a_case_for_head_and_options() -> None:
    covered = {f"{request.method} {rule_of(request)}" for case in CASES for request in _requests(case)}
    rules = {name.removeprefix("GET ") for name in BOTH_SIDES if name.startswith("GET ")}
    assert {f"{method} {rule}" for method in ("HEAD", "OPTIONS") for rule in rules} - covered == set()


def test_every_trap_that_these_endpoints_can_meet_has_a_case() -> None:
    assert {row for case in CASES for row in case.rows} >= ROWS_OF_DIFFERENCES


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_a_case_that_says_something_wrong_fails() -> None:
    right = next(case for case in CASES if case.leaves is not None and case.leaves.trades_today == 1)
    assert right.leaves is not None
    request, answer = next(step for step in right.steps if isinstance(step, tuple))
    wrong_answer = replace(right, steps=((request, replace(answer, status=299)), *right.steps[1:]))
    wrong_state = replace(right, leaves=replace(right.leaves, trades_today=2))
    wrong_ledger = replace(right, leaves=replace(right.leaves, ledger=()))
    unclaimed = replace(right, steps=((replace(request, claimed=False), answer), *right.steps[1:]))
    for wrong in (wrong_answer, wrong_state, wrong_ledger, unclaimed):
        with pytest.raises(AssertionError):
            _check(wrong, {"legacy": MemoryStore(), "native": MemoryStore()})


def _requests(case: Case) -> list[Request]:
    return [step[0] for step in case.steps if isinstance(step, tuple)]

"""Windows are made once, told apart, and listed."""

import asyncio

import pytest

from shared.errors import UnknownWindow
from shared.store.base import LedgerPage, Store
from shared.window import Asking, Snapshot, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import NEVER, UNTOUCHED, Face
from tests.shared.store.helpers import CONFIG, DAY, DEADLINE_SECONDS, key, trade


async def test_a_new_window_has_the_given_config_and_nothing_else(face: Face) -> None:
    expected = Snapshot(window_id="w", config=CONFIG, state=UNTOUCHED, version=1, sequence=0)
    assert await face.create() == expected
    assert await face.snapshot() == expected
    assert await face.ledger() == LedgerPage(entries=(), sequence=0)


async def test_creating_a_known_window_changes_nothing_and_answers_with_what_is_stored(face: Face) -> None:
    await face.create()
    await face.apply(trade())
    stored = await face.create(config=WindowConfig(max_trades_per_day=77))
    state: WindowState = {
        "trade_day": DAY,
        "trades_today": 1,
        "halt": None,
        "tally": {"symbol": {}, "side": {}, "strategy": {}},
        "last_trades": {"*": "2025-03-03T12:30:15.123456Z"},
    }
    assert stored == Snapshot(window_id="w", config=CONFIG, state=state, version=1, sequence=1)
    assert await face.snapshot() == stored


async def test_window_ids_are_told_apart_exactly(face: Face) -> None:
    window_ids = ["w", "W", "w ", " w", "", "å", "a\u030a", "'; DROP TABLE windows; --", "%", "w" * 255]
    for number, window_id in enumerate(window_ids):
        await face.create(window_id, WindowConfig(max_trades_per_day=number))
    found = [(await face.snapshot(window_id)).config.max_trades_per_day for window_id in window_ids]
    assert found == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_one_of_many_who_create_a_window_at_once_wins(store: Store) -> None:
    configs = [WindowConfig(max_trades_per_day=number) for number in range(50)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(*[store.create_async("w", config) for config in configs])
    assert set(map(repr, answers)) == {repr(await store.snapshot_async("w"))}
    assert answers[0].version == 1


async def test_every_method_but_create_raises_for_an_unknown_window(face: Face) -> None:
    await face.create("known")
    for call in (
        lambda: face.snapshot("Known"),
        lambda: face.ledger(window_id="Known"),
        lambda: face.apply(NEVER, window_id="Known"),
        lambda: face.apply(NEVER, window_id="Known", key=key(), asks=Asking()),
    ):
        with pytest.raises(UnknownWindow) as raised:
            await call()
        assert raised.value.window_id == "Known"
    assert (await face.create("Known")).sequence == 0


async def test_the_windows_are_listed_in_order_a_page_at_a_time(face: Face) -> None:
    assert await face.window_ids() == ()
    for window_id in ("b", "\U0001f600", "", "B", "default", "\uff5e", "a", "å", "b ", "ab"):
        await face.create(window_id)
        await face.create(window_id)
    everything = ("", "B", "a", "ab", "b", "b ", "default", "å", "\uff5e", "\U0001f600")
    assert await face.window_ids() == everything
    assert await face.window_ids(limit=4) == everything[:4]
    assert await face.window_ids(limit=-1) == everything
    assert await face.window_ids(after="") == everything[1:]
    assert await face.window_ids(after="b", limit=3) == everything[5:8]
    assert await face.window_ids(after="b", limit=-1) == everything[5:]
    assert await face.window_ids(after="c") == everything[6:]
    assert await face.window_ids(after="\U0001f600") == ()
    assert await face.window_ids(limit=0) == ()


async def test_a_page_of_windows_has_fifty_unless_told_otherwise(face: Face) -> None:
    for number in range(51):
        await face.create(f"w{number:02}")
    assert await face.window_ids() == tuple(f"w{number:02}" for number in range(50))
    assert await face.window_ids(after="w49") == ("w50",)

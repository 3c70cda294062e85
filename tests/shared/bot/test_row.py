"""The bot's row: one contract suite for each backend and face; and what the steps on it do."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bot.control import begun_here, ended_here, started, status_of, stopped
from shared.bot.lease import is_free, released, renewed, saved, taken
from shared.bot.store.base import BotRow, BotStore, Step
from shared.bot.store.memory import MemoryBotStore
from shared.bot.store.sqlite import SQLiteBotStore
from shared.errors import BotIsRunning, BotIsStopped, LeaseHeld, LeaseLost, OtherAccount
from shared.settings import BotSettings
from tests.shared.strategies.markets import START

LATER = START + timedelta(seconds=15)
PAPER, REAL = "paper money at made-up prices", "the account at an exchange at its prices"
HOLDING = {"holdings": {"BTC-USD": {}}, "intents": []}
FLAT: dict[str, Any] = {"holdings": {}, "intents": [], "strategies": {}}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[BotStore]:
    if request.param == "memory":
        yield MemoryBotStore()
        return
    path: Path = request.getfixturevalue("state_file")
    store = SQLiteBotStore(path)
    yield store
    store.close()


Changes = Callable[[Step], Awaitable[BotRow]]


@pytest.fixture(params=["blocking", "awaited"])
def change(request: pytest.FixtureRequest, store: BotStore) -> Changes:
    async def blocking(step: Step) -> BotRow:
        return await asyncio.to_thread(store.change, step)

    return blocking if request.param == "blocking" else store.change_async


def named(holder: str) -> Step:
    return lambda row: replace(row, holder=holder)


async def test_a_row_that_was_never_changed_is_a_stopped_bot(store: BotStore) -> None:
    assert store.read() == await store.read_async() == BotRow()


async def test_a_change_is_read_as_it_was_written(store: BotStore, change: Changes) -> None:
    whole = BotRow(
        desired="running",
        config={"symbols": ["BTC-USD"]},
        account=PAPER,
        holder="me",
        lease_until=LATER,
        started_at=START,
        last_cycle={"candles": 1, "error": None},
        state={"counts": {}, "quantity": "1.50"},
    )
    answer = await change(lambda _row: whole)
    assert answer == store.read() == await store.read_async() == replace(whole, version=1)


async def test_versions_count_changes_and_nothing_else(store: BotStore, change: Changes) -> None:
    assert (await change(named("a"))).version == 1
    assert (await change(named("a"))).version == 1
    assert (await change(lambda _row: None)).version == 1
    assert (await change(lambda row: replace(row, holder="b", version=77))).version == 2
    assert store.read().version == 2


async def test_a_step_that_raises_writes_nothing(store: BotStore, change: Changes) -> None:
    def refuses(row: BotRow) -> BotRow:
        raise LookupError(row.version)

    await change(named("a"))
    with pytest.raises(LookupError):
        await change(refuses)
    assert store.read() == BotRow(version=1, holder="a")


def test_no_change_comes_between_a_step_s_reading_and_its_writing(store: BotStore) -> None:
    def one_more(row: BotRow) -> BotRow:
        return replace(row, state={"count": (row.state or {"count": 0})["count"] + 1})

    def often() -> None:
        for _ in range(25):
            store.change(one_more)

    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read().state == {"count": 100}


def test_another_store_on_the_file_sees_it_and_another_bot_s_row_is_its_own(state_file: Path) -> None:
    one, two = SQLiteBotStore(state_file), SQLiteBotStore(state_file)
    other = SQLiteBotStore(state_file, bot_id="other")
    try:
        one.change(named("a"))
        assert two.read().holder == "a"
        assert two.change(named("b")).version == 2
        assert one.read().holder == "b"
        assert other.read() == BotRow()
    finally:
        for store in (one, two, other):
            store.close()


# Leases


def row(**values: Any) -> BotRow:
    return BotRow(**values)


def after(step: Step, before: BotRow) -> BotRow:
    return step(before) or before


def test_a_lease_is_taken_by_one() -> None:
    mine = after(taken("me", account=PAPER, at=START, until=LATER), row())
    assert (mine.holder, mine.lease_until) == ("me", LATER)
    with pytest.raises(LeaseHeld, match="the bot is run by me, whose lease lasts until 2026-03-04T00:00:15"):
        taken("you", account=PAPER, at=LATER - timedelta(microseconds=1), until=LATER)(mine)
    assert after(taken("you", account=PAPER, at=LATER, until=LATER), mine).holder == "you"
    assert after(
        taken("me", account=PAPER, at=START, until=LATER + timedelta(1)), mine
    ).lease_until == LATER + timedelta(1)


def test_who_lost_the_lease_neither_renews_nor_saves() -> None:
    theirs = row(holder="you", lease_until=LATER)
    for step in (renewed("me", until=LATER), saved("me", {})):
        with pytest.raises(LeaseLost, match="the bot's lease is not me's any more: it is you's"):
            step(theirs)
    assert released("me")(theirs) is None
    assert after(released("you"), theirs) == row()


def test_renewing_tells_of_the_newest_cycle() -> None:
    mine = row(holder="me", lease_until=START, last_cycle={"candles": 1})
    assert after(renewed("me", until=LATER), mine) == replace(mine, lease_until=LATER)
    assert after(renewed("me", until=LATER, last_cycle={"candles": 2}), mine).last_cycle == {"candles": 2}
    assert after(saved("me", {"day": None}), mine).state == {"day": None}


def test_a_lease_that_is_past_its_end_is_free() -> None:
    assert is_free(row(), START)
    assert not is_free(row(holder="me", lease_until=LATER), START)
    assert is_free(row(holder="me", lease_until=LATER), LATER)


# Start, stop, status


def test_a_bot_is_started_once_and_stopped_once() -> None:
    settings = BotSettings(symbols=["ETH-USD", "BTC-USD"], strategies={"rsi": {"period": 7}})
    running = after(started(settings, account=PAPER, at=START), row(state={"day": None}))
    assert running.state == {"day": None}
    with pytest.raises(BotIsRunning, match="the bot is running already"):
        started(settings, account=PAPER, at=LATER)(running)
    assert running.config is not None
    assert BotSettings.model_validate(running.config) == settings
    assert "notify_urls" not in running.config
    ended = after(stopped(), running)
    assert (ended.desired, ended.started_at) == ("stopped", None)
    with pytest.raises(BotIsStopped, match="the bot is not running"):
        stopped()(ended)
    assert status_of(running, BotSettings()) == {
        "status": "running",
        "started_at": "2026-03-04T00:00:00.000000Z",
        "symbol": "ETH-USD,BTC-USD",
        "strategies": ["rsi"],
        "last_cycle": None,
    }
    assert status_of(row(), BotSettings())["symbol"] == "BTC-USD"


def test_a_process_of_its_own_goes_on_with_a_bot_whose_process_has_ended() -> None:
    crashed = row(desired="running", holder="dead", lease_until=LATER, started_at=START, state={"day": None})
    with pytest.raises(BotIsRunning):
        begun_here(BotSettings(), account=PAPER, holder="me", at=LATER - timedelta(seconds=1))(crashed)
    going_on = after(begun_here(BotSettings(), account=PAPER, holder="me", at=LATER), crashed)
    assert (going_on.desired, going_on.started_at, going_on.state) == ("running", START, {"day": None})
    assert (going_on.holder, going_on.lease_until) == ("me", LATER + timedelta(seconds=15))
    assert after(begun_here(BotSettings(), account=PAPER, holder="me", at=LATER), row()).started_at == LATER
    finishing = row(desired="stopped", holder="you", lease_until=LATER)
    with pytest.raises(LeaseHeld, match="run by you"):
        begun_here(BotSettings(), account=PAPER, holder="me", at=START)(finishing)


def test_a_process_that_ends_stops_no_bot_that_another_one_runs() -> None:
    running = row(desired="running", holder="me", lease_until=LATER, started_at=START)
    assert after(ended_here("me"), running).desired == "stopped"
    assert after(ended_here("me"), replace(running, holder=None)).desired == "stopped"
    assert ended_here("you")(running) is None


# Where it trades


def test_a_bot_is_taken_over_by_who_would_trade_its_account_alone() -> None:
    killed = row(desired="running", account=REAL, holder="dead", lease_until=START, started_at=START, state=HOLDING)
    sentence = f"the bot trades {REAL}, and this process would trade {PAPER}: give it the settings of the bot"
    with pytest.raises(OtherAccount, match=sentence):
        taken("me", account=PAPER, at=LATER, until=LATER)(killed)
    with pytest.raises(OtherAccount, match=sentence):
        begun_here(BotSettings(), account=PAPER, holder="me", at=LATER)(killed)
    going_on = after(taken("me", account=REAL, at=LATER, until=LATER), killed)
    assert (going_on.holder, going_on.account, going_on.state) == ("me", REAL, HOLDING)


@pytest.mark.parametrize(
    "stopped_row",
    [
        row(account=REAL, state=HOLDING),
        row(account=REAL, state={"holdings": {}, "intents": [{}]}),
        row(account=REAL, state=FLAT, holder="finishing", lease_until=LATER),
    ],
)
def test_a_bot_that_has_something_open_is_started_nowhere_else(stopped_row: BotRow) -> None:
    for step in (
        started(BotSettings(), account=PAPER, at=START),
        begun_here(BotSettings(), account=PAPER, holder="me", at=START),
    ):
        with pytest.raises(OtherAccount):
            step(stopped_row)


def test_a_bot_that_is_flat_begins_anew_at_another_account() -> None:
    flat = row(account=REAL, state=FLAT)
    for step in (
        started(BotSettings(), account=PAPER, at=START),
        begun_here(BotSettings(), account=PAPER, holder="me", at=START),
    ):
        begun = after(step, flat)
        assert (begun.desired, begun.account, begun.state) == ("running", PAPER, None)
    same = after(started(BotSettings(), account=REAL, at=START), flat)
    assert (same.account, same.state) == (REAL, FLAT)


def test_a_bot_that_never_ran_has_the_account_of_who_starts_it() -> None:
    assert after(started(BotSettings(), account=PAPER, at=START), row()).account == PAPER
    assert after(taken("me", account=PAPER, at=START, until=LATER), row()).account == PAPER

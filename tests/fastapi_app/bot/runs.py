"""Replays for tests: in memory, killed where a test says, and told in values that two runs can be compared by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from fastapi_app.bot.replay import Replay, ReplayResult, ReplayStores
from shared.bot.events import Event
from shared.candle import Candle
from shared.settings import BotSettings, BrokerSettings
from shared.window_config import WindowConfig

BTC = "BTC-USD"
ETH = "ETH-USD"
BROKER = BrokerSettings()
OFFICE_HOURS = WindowConfig(start_hour=8, end_hour=16, max_trades_per_day=5)
QUICK: dict[str, dict[str, Any]] = {"ema_crossover": {"fast": 2, "slow": 4}}
"""A strategy that changes its mind every few minutes."""


class Killed(BaseException):
    """The end of a process, as far as code can tell: nothing catches it."""


class Countdown:
    """Ends the process at its n-th write: before it is done where n is even, right after it where n is odd."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.writes = 0

    async def around(self, write: Any) -> Any:
        self.writes += 1
        self.left -= 2
        if -2 <= self.left < 0 and self.left % 2 == 0:
            write.close()
            raise Killed
        answer = await write
        if -2 <= self.left < 0:
            raise Killed
        return answer


class Mortal:
    """A store whose writes the countdown sees."""

    def __init__(self, store: Any, countdown: Countdown) -> None:
        self._store = store
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in ("apply_async", "change_async"):
            return method
        return lambda *arguments, **more: self._countdown.around(method(*arguments, **more))


def mortal(stores: ReplayStores, countdown: Countdown) -> ReplayStores:
    kinds: dict[str, Any] = {name: Mortal(getattr(stores, name), countdown) for name in ("windows", "books", "bot")}
    return ReplayStores(**kinds)


async def replayed(
    candles: Mapping[str, Sequence[Candle]] | Sequence[Candle],
    *,
    bot: BotSettings | None = None,
    broker: BrokerSettings = BROKER,
    window: WindowConfig = OFFICE_HOURS,
    stores: ReplayStores | None = None,
    events: list[Event] | None = None,
    save_every: int = 100,
) -> ReplayResult:
    run = Replay(
        bot=bot or BotSettings(strategies=QUICK),
        broker=broker,
        window=window,
        stores=stores or ReplayStores.in_memory(broker),
        observe=None if events is None else events.append,
        save_every=save_every,
    )
    return await run.run(candles if isinstance(candles, Mapping) else {BTC: candles})


def told(result: ReplayResult) -> dict[str, Any]:
    """All that a run leaves; how many candles it took in is its own affair."""
    return {name: value for name, value in asdict(result).items() if name != "candles"}


def check_books(result: ReplayResult, *, window: WindowConfig, begin: Decimal = Decimal(10_000)) -> None:
    """What must hold of every run: the hours, the limit, one trade an order, one permit a trade, and the money."""
    orders = {order["client_order_id"]: order for order in result.orders}
    assert len(orders) == len(result.orders)
    assert all(order["status"] == "filled" for order in result.orders)
    assert [trade["id"] for trade in result.trades] == [f"trade-{name}" for name in orders]
    for trade, order in zip(result.trades, result.orders, strict=True):
        assert (trade["symbol"], trade["side"]) == (order["symbol"], order["side"])
        assert (trade["quantity"], trade["price"]) == (order["filled_quantity"], order["average_price"])
        assert trade.get("reduces", False) is order["reduces"]

    entries = [trade for trade in result.trades if "reduces" not in trade]
    days = [trade["executed_at"][:10] for trade in entries]
    assert max(map(days.count, days)) <= window.max_trades_per_day
    assert all(window.start_hour <= int(trade["executed_at"][11:13]) < window.end_hour for trade in entries)

    confirmed = [permit for permit in result.permits if permit["status"] == "confirmed"]
    assert [permit["trade_id"] for permit in confirmed] == [trade["id"] for trade in result.trades]
    assert len({permit["id"] for permit in result.permits}) == len(result.trades)

    cash = begin
    for order in result.orders:
        amount = Decimal(order["filled_quantity"]) * Decimal(order["average_price"])
        cash += (amount if order["side"] == "sell" else -amount) - Decimal(order["fee"])
    worth = sum(
        (
            (1 if position["side"] == "long" else -1) * Decimal(position["quantity"]) * Decimal(position["entry_price"])
            + Decimal(position["unrealized_pnl"])
            for position in result.positions
        ),
        Decimal(0),
    )
    (balance,) = result.balances
    assert abs(Decimal(balance["total"]) - cash - worth) < Decimal("0.01")

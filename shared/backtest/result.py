"""What a backtest shows of a run: bounded in size, however many candles there were."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.backtest.job import BacktestJob
from shared.bot.events import Event
from shared.broker.account import quote_currency
from shared.broker.base import Balance, Order
from shared.candle import Candle
from shared.clock import utc_text
from shared.wire_fields import plain_decimal

MAX_POINTS = 500
"""How many points of its equity a result has, the last candle's among them."""

MAX_SHOWN = 500
"""How many trades, and how many refusals, a result has: the newest."""


class EquityCurve:
    """What the account is worth at the close of every n-th candle, and of the last one."""

    def __init__(self, job: BacktestJob) -> None:
        self._currency = quote_currency(job.symbol)
        self._length = timedelta(seconds=job.bot.timeframe.seconds)
        self._last = len(job.candles) - 1
        self._step = max(1, -(-len(job.candles) // MAX_POINTS))
        self.points: list[dict[str, str]] = []

    def due(self, number: int) -> bool:
        """Whether there is a point at the candle of this number, counted from 0."""
        return (self._last - number) % self._step == 0

    def add(self, candle: Candle, balances: Iterable[Balance]) -> None:
        """With the balances at the candle's close."""
        total = next((each.total for each in balances if each.currency == self._currency), Decimal(0))
        self.points.append({"timestamp": utc_text(candle.timestamp + self._length), "equity": plain_decimal(total)})

    def watch(self, candles: Sequence[Candle], balances: Callable[[datetime], Iterable[Balance]]) -> Iterator[Candle]:
        """The candles, for who takes in one before it asks for the next; `balances` are told at an instant."""
        for number, candle in enumerate(candles):
            yield candle
            if self.due(number):
                self.add(candle, balances(candle.timestamp + self._length))


def result_of(job: BacktestJob, events: Sequence[Event], curve: EquityCurve) -> dict[str, Any]:
    """As the wire shows it; `events` are all that the run told, oldest first."""
    ((strategy, parameters),) = job.bot.strategies.items()
    trades = [_trade(event, event.order) for event in events if event.order is not None]
    refused = [event for event in events if event.kind == "refused"]
    return {
        "strategy": strategy,
        "symbol": job.symbol,
        "timeframe": str(job.bot.timeframe),
        "parameters": parameters,
        "initial_capital": plain_decimal(job.capital),
        "final_equity": curve.points[-1]["equity"] if curve.points else plain_decimal(job.capital),
        "candles": {
            "count": len(job.candles),
            "first": _opens(job.candles[:1]),
            "last": _opens(job.candles[-1:]),
        },
        "equity": curve.points,
        "trade_count": len(trades),
        "trades": trades[-MAX_SHOWN:],
        "refusal_counts": dict(sorted(Counter(event.code for event in refused).items())),
        "refusals": [
            {"timestamp": utc_text(event.at), "code": event.code, "reason": event.text}
            for event in refused[-MAX_SHOWN:]
        ],
    }


def _trade(event: Event, order: Order) -> dict[str, Any]:
    price = order.average_price
    return {
        "timestamp": utc_text(event.at),
        "purpose": event.code,
        "side": order.side,
        "quantity": plain_decimal(order.filled_quantity),
        "price": None if price is None else plain_decimal(price),
        "fee": plain_decimal(order.fee),
        "realized_pnl": plain_decimal(order.realized_pnl),
        "reason": event.intent.reason if event.intent else event.text,
    }


def _opens(candles: Sequence[Candle]) -> str | None:
    return utc_text(candles[0].timestamp) if candles else None

"""What came of a replay, as values that the table, the JSON and the page are made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, get_args

from fastapi_app.bot.replay import ReplayResult
from fastapi_app.cli.replay_tape import Tape
from fastapi_app.window.trading_day import trading_day
from shared.bot.state import Purpose
from shared.broker.money import EXACT
from shared.errors import ReasonCode
from shared.settings import Settings


class Refused(NamedTuple):
    """How often, over all runs of this replay; `by` is the trading window or the bot; `why` the newest sentence of
    this run, None where an earlier one alone was refused that."""

    code: str
    times: int
    by: str
    why: str | None


class Day(NamedTuple):
    """A trading day of the window, and its trades: entries take a slot, exits only reduce."""

    day: str
    entries: int
    exits: int


class Worth(NamedTuple):
    """What the account would be worth if its position were closed at that instant's price, fees aside."""

    at: datetime
    equity: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """`before` is how many candles an earlier run had taken in."""

    file: str
    settings: Settings
    tape: Tape
    result: ReplayResult
    seconds: float

    @property
    def before(self) -> int:
        return self.tape.candles - self.result.candles

    def by_purpose(self) -> dict[Purpose, int]:
        return {purpose: self.result.counts.get(purpose, 0) for purpose in get_args(Purpose)}

    def refusals(self) -> list[Refused]:
        """Most frequent first."""
        codes = [code for code in self.result.counts if code not in get_args(Purpose)]
        return [
            Refused(
                code,
                self.result.counts[code],
                "the window" if code in get_args(ReasonCode) else "the bot",
                self.tape.sentences.get(code),
            )
            for code in sorted(codes, key=lambda code: (-self.result.counts[code], code))
        ]

    def days(self) -> list[Day]:
        """Those with trades, oldest first."""
        entries: Counter[str] = Counter()
        exits: Counter[str] = Counter()
        for trade in self.result.trades:
            day = trading_day(self.settings.window, datetime.fromisoformat(trade["executed_at"]))
            (exits if trade.get("reduces") else entries)[day] += 1
        return [Day(day, entries[day], exits[day]) for day in sorted({*entries, *exits})]

    def equity(self) -> list[Worth]:
        """At the end of each stretch of the tape, in the symbol's quote currency; exact."""
        bot = self.settings.bot
        length = timedelta(seconds=bot.timeframe.seconds)
        cash = self.settings.broker.balances.get(bot.symbols[0].partition("-")[2], Decimal(0))
        position = Decimal(0)
        orders = iter([*self.result.orders, None])
        order = next(orders)
        worths = []
        with localcontext(EXACT):
            for stretch in self.tape.stretches:
                end = stretch.last + length
                while order is not None and datetime.fromisoformat(order["created_at"]) <= end:
                    signed, amount = _moved(order)
                    position, cash = position + signed, cash + amount
                    order = next(orders)
                worths.append(Worth(end, cash + position * stretch.close))
        return worths

    def to_json(self) -> dict[str, Any]:
        """Decimals are strings, as everywhere on the wire; orders and trades oldest first."""
        return {
            "file": self.file,
            "candles": self.tape.candles,
            "candles_before": self.before,
            "seconds": round(self.seconds, 3),
            "strategies": self.settings.bot.model_dump(mode="json")["strategies"],
            "symbol": self.settings.bot.symbols[0],
            "timeframe": str(self.settings.bot.timeframe),
            "window": self.settings.window.to_json(),
            "orders": self.result.orders,
            "trades": self.result.trades,
            "traded": self.by_purpose(),
            "refused": {refused.code: refused.times for refused in self.refusals()},
            "days": [day._asdict() for day in self.days()],
            "balances": self.result.balances,
            "positions": self.result.positions,
        }


def _moved(order: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """What the order added to the position, and to the money."""
    if order["average_price"] is None:
        return Decimal(0), Decimal(0)
    quantity, price = Decimal(order["filled_quantity"]), Decimal(order["average_price"])
    signed = quantity if order["side"] == "buy" else -quantity
    return signed, -signed * price - Decimal(order["fee"])


def sum_of(rows: Sequence[Mapping[str, Any]], key: str) -> Decimal:
    with localcontext(EXACT):
        return sum((Decimal(row[key]) for row in rows), Decimal(0))

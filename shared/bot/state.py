"""What a bot remembers between two candles, as a value that goes to JSON and back."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from shared.broker.base import OrderRequest, OrderSide
from shared.clock import utc_text
from shared.strategies.base import Direction
from shared.wire_fields import plain_decimal

Purpose = Literal["entry", "exit", "stop", "take_profit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """A market order that the bot is going to place. All but an entry only reduce.

    `client_order_id` is `<strategy>-<symbol>-<candle open>-<n>`, `n` counting the intents of that candle from 1: who
    decides the same again places no second order. `price` is the candle's close, `at` the instant of the decision.
    """

    client_order_id: str
    strategy: str
    symbol: str
    purpose: Purpose
    side: OrderSide
    quantity: Decimal
    price: Decimal
    at: datetime
    reason: str

    @property
    def reduces(self) -> bool:
        return self.purpose != "entry"

    def request(self) -> OrderRequest:
        return OrderRequest(
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            type="market",
            quantity=self.quantity,
            reduces=self.reduces,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "quantity": plain_decimal(self.quantity),
            "price": plain_decimal(self.price),
            "at": utc_text(self.at),
        }

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> "Intent":
        return cls(
            **{
                **given,
                "quantity": Decimal(given["quantity"]),
                "price": Decimal(given["price"]),
                "at": datetime.fromisoformat(given["at"]),
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A position that the bot has opened, one for each symbol at most, with the prices at which it is closed.

    `exit_due` says why it is to be closed though it is still there: that is tried with each candle until it is gone.
    """

    strategy: str
    direction: Direction
    quantity: Decimal
    entry_price: Decimal
    stop: Decimal
    take_profit: Decimal | None
    exit_due: Purpose | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "quantity": plain_decimal(self.quantity),
            "entry_price": plain_decimal(self.entry_price),
            "stop": plain_decimal(self.stop),
            "take_profit": None if self.take_profit is None else plain_decimal(self.take_profit),
        }

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> "Holding":
        take_profit = given["take_profit"]
        return cls(
            **{
                **given,
                "quantity": Decimal(given["quantity"]),
                "entry_price": Decimal(given["entry_price"]),
                "stop": Decimal(given["stop"]),
                "take_profit": None if take_profit is None else Decimal(take_profit),
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class BotState:
    """`candles` holds when each symbol's newest candle opened, `strategies` the snapshots by symbol and name.

    `holdings` are by symbol, `intents` those that may not be carried out yet, `day` the UTC day, YYYY-MM-DD, whose
    first equity is in `day_equity` by currency. `counts` says how often what has happened, by a stable code.
    """

    candles: Mapping[str, datetime] = field(default_factory=dict)
    strategies: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    intents: tuple[Intent, ...] = ()
    day: str | None = None
    day_equity: Mapping[str, Decimal] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def with_holding(self, symbol: str, holding: Holding | None) -> "BotState":
        others = {name: each for name, each in self.holdings.items() if name != symbol}
        return replace(self, holdings=others if holding is None else {**others, symbol: holding})

    def watched(self, symbols: Iterable[str]) -> list[str]:
        """These, and behind them what is held and traded no more: its stop holds on."""
        traded = list(symbols)
        return [*traded, *(symbol for symbol in self.holdings if symbol not in traded)]

    def counted(self, code: str) -> "BotState":
        return replace(self, counts={**self.counts, code: self.counts.get(code, 0) + 1})

    def to_json(self) -> dict[str, Any]:
        return {
            "candles": {symbol: utc_text(at) for symbol, at in self.candles.items()},
            "strategies": self.strategies,
            "holdings": {symbol: holding.to_json() for symbol, holding in self.holdings.items()},
            "intents": [intent.to_json() for intent in self.intents],
            "day": self.day,
            "day_equity": {currency: plain_decimal(amount) for currency, amount in self.day_equity.items()},
            "counts": self.counts,
        }

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> "BotState":
        """Raises LookupError, TypeError or ValueError for what `to_json` didn't give."""
        return cls(
            candles={symbol: datetime.fromisoformat(at) for symbol, at in given["candles"].items()},
            strategies=given["strategies"],
            holdings={symbol: Holding.of_json(holding) for symbol, holding in given["holdings"].items()},
            intents=tuple(Intent.of_json(intent) for intent in given["intents"]),
            day=given["day"],
            day_equity={currency: Decimal(amount) for currency, amount in given["day_equity"].items()},
            counts=given["counts"],
        )

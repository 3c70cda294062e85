"""What a bot wants to do about one candle. Pure: candle, signals and state come in, intents go out.

- Stops and take-profits first: where a candle that opened after the entry reaches both, the stop counts, since nobody
  can say which came first. They close the whole position with a market order that only reduces.
- A symbol is held by one strategy at a time: the others' signals wait until it is free. A signal of the holder to exit,
  or to enter the other way, closes the position.
- An entry needs a symbol that is free, or will be by the exits of the same candle. Strategies are asked in the order
  of the settings; the first entry of a candle is the only one.
- Nothing is added to a position that is there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple

from shared.bot.risk import Funds, Refusal, entry_quantity, entry_refusal
from shared.bot.state import BotState, Holding, Intent, Purpose
from shared.broker.account import quote_currency
from shared.broker.base import Balance, Order, OrderSide
from shared.broker.money import EXACT
from shared.candle import Candle
from shared.settings import BotSettings
from shared.strategies.base import Direction, Signal

TOO_SMALL = "TOO_SMALL"
STALE = Refusal("STALE", "the signal is too old: its candle closed more than a candle's length ago")


class StrategySignal(NamedTuple):
    """A signal, and the name of the strategy that gave it."""

    strategy: str
    signal: Signal


class Entry(NamedTuple):
    """An entry that the market suggests, before anybody was asked for money or leave."""

    strategy: str
    direction: Direction
    reason: str


class Wishes(NamedTuple):
    """What a candle suggests for its symbol: to leave the position for a purpose, and then to enter."""

    leaves: Purpose | None
    leaves_because: str
    entry: Entry | None


NOTHING = Wishes(None, "", None)


def wishes(holding: Holding | None, candle: Candle, signals: Sequence[StrategySignal]) -> Wishes:
    """Cheap where nothing is held and nothing is signalled."""
    if holding is None:
        return Wishes(None, "", _entry(signals)) if signals else NOTHING
    purpose, because = _exit(holding, candle, signals)
    return Wishes(purpose, because, _entry(signals) if purpose else None)


def intents_of(
    wished: Wishes,
    *,
    symbol: str,
    candle: Candle,
    at: datetime,
    state: BotState,
    settings: BotSettings,
    funds: Funds | None,
) -> tuple[tuple[Intent, ...], Refusal | None]:
    """The intents in the order in which they are to be carried out, and why a wished entry isn't among them.

    `funds` are those before any of them, and are needed where there is a wish to enter: what an exit will set free is
    added here.
    """
    holding = state.holdings.get(symbol)
    intents: list[Intent] = []

    def intend(strategy: str, purpose: Purpose, side: OrderSide, quantity: Decimal, reason: str) -> None:
        intents.append(
            Intent(
                client_order_id=f"{strategy}-{symbol}-{candle.timestamp:%Y%m%dT%H%M%SZ}-{len(intents) + 1}",
                strategy=strategy,
                symbol=symbol,
                purpose=purpose,
                side=side,
                quantity=quantity,
                price=candle.close,
                at=at,
                reason=reason,
            )
        )

    if wished.leaves is not None and holding is not None:
        side: OrderSide = "sell" if holding.direction == "long" else "buy"
        intend(holding.strategy, wished.leaves, side, holding.quantity, wished.leaves_because)
    entry = wished.entry
    if entry is None or funds is None:
        return tuple(intents), None
    if holding is not None:
        freed = EXACT.multiply(holding.quantity, candle.close)
        funds = funds._replace(available=EXACT.add(funds.available, freed))
    # Nobody knows yet what comes of an entry that waits: it may become a position.
    waiting = {intent.symbol for intent in state.intents if not intent.reduces}
    refusal = entry_refusal(settings, positions=len({*state.holdings, *waiting} - {symbol}), funds=funds)
    if refusal is not None:
        return tuple(intents), refusal
    quantity = entry_quantity(settings, price=candle.close, funds=funds)
    if not quantity:
        sentence = f"quantity: what may be risked and bound is not a quantity_step, {settings.quantity_step:f}"
        return tuple(intents), Refusal(TOO_SMALL, sentence)
    intend(entry.strategy, "entry", "buy" if entry.direction == "long" else "sell", quantity, entry.reason)
    return tuple(intents), None


def is_stale(intent: Intent, candle: Candle, settings: BotSettings) -> bool:
    """Whether an entry comes too late, such as where the bot makes up for candles that it missed."""
    return not intent.reduces and intent.at - candle.timestamp > 2 * timedelta(seconds=settings.timeframe.seconds)


def funds_of(balances: Sequence[Balance], symbol: str, state: BotState) -> Funds:
    """The money of the symbol's quote currency; 0 of a currency that the account doesn't have."""
    currency = quote_currency(symbol)
    for balance in balances:
        if balance.currency == currency:
            return Funds(balance.total, balance.available, state.day_equity.get(currency, balance.total))
    return Funds(Decimal(0), Decimal(0), Decimal(0))


def with_day(state: BotState, at: datetime, balances: Sequence[Balance]) -> BotState:
    """The state on the UTC day of this instant, which begins with these balances."""
    equity = {balance.currency: balance.total for balance in balances}
    return replace(state, day=day_of(at), day_equity=equity)


def day_of(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def end_of_day(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)


def due(state: BotState, intents: Iterable[Intent]) -> BotState:
    """The state with the intents in it, and each position that they leave marked so."""
    for intent in intents:
        holding = state.holdings.get(intent.symbol)
        if intent.purpose != "entry" and holding is not None:
            state = state.with_holding(intent.symbol, replace(holding, exit_due=intent.purpose))
        state = replace(state, intents=(*state.intents, intent))
    return state


def traded(state: BotState, intent: Intent, order: Order, settings: BotSettings) -> BotState:
    """The state once the intent's order is filled, wholly or in part."""
    price = order.average_price
    if not order.filled_quantity or price is None:
        return state
    if intent.purpose == "entry":
        return state.with_holding(intent.symbol, _opened(intent, order.filled_quantity, price, settings))
    holding = state.holdings.get(intent.symbol)
    if holding is None:
        return state
    left = EXACT.subtract(holding.quantity, order.filled_quantity)
    return state.with_holding(intent.symbol, replace(holding, quantity=left) if left > 0 else None)


def _opened(intent: Intent, quantity: Decimal, price: Decimal, settings: BotSettings) -> Holding:
    sign = 1 if intent.side == "buy" else -1
    with localcontext(EXACT):
        stop = price * (1 - sign * settings.stop_loss)
        take_profit = price * (1 + sign * settings.take_profit) if settings.take_profit else None
    return Holding(
        strategy=intent.strategy,
        direction="long" if intent.side == "buy" else "short",
        quantity=quantity,
        entry_price=price,
        stop=stop,
        # A short whose take-profit is at 0 or below has none that a price can reach.
        take_profit=take_profit if take_profit is not None and take_profit > 0 else None,
    )


def _exit(holding: Holding, candle: Candle, signals: Sequence[StrategySignal]) -> tuple[Purpose | None, str]:
    long = holding.direction == "long"
    if candle.low <= holding.stop if long else candle.high >= holding.stop:
        return "stop", f"the price reached the stop at {holding.stop:f}"
    target = holding.take_profit
    if target is not None and (candle.high >= target if long else candle.low <= target):
        return "take_profit", f"the price reached the take-profit at {target:f}"
    for strategy, signal in signals:
        other_way = signal.direction != holding.direction
        if strategy == holding.strategy and (signal.action == "enter") == other_way:
            return "exit", signal.reason
    if holding.exit_due is not None:
        return holding.exit_due, "the position was to be closed before, and is still there"
    return None, ""


def _entry(signals: Sequence[StrategySignal]) -> Entry | None:
    for strategy, signal in signals:
        if signal.action == "enter":
            return Entry(strategy, signal.direction, signal.reason)
    return None

"""The bot's engine: one candle in, effects out. A live run, a replay and a backtest differ in what they hand to it.

For each candle: resting orders are filled; stops and take-profits; strategies, off the event loop where they are heavy;
sizing; the trading window is asked; what shall be done is saved, and carried out. What is saved before
the first effect makes an engine that is killed at any point, and resumed, end where one ends that wasn't. That it was
carried out is saved with what comes next: to carry it out once more finds what is there, and changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fastapi_app.bot.desk import Carried, OrderDesk, StillOpen
from fastapi_app.bot.memory import BotMemory
from shared.bot.broker import BotBroker
from shared.bot.decisions import (
    StrategySignal,
    Wishes,
    day_of,
    due,
    end_of_day,
    funds_of,
    intents_of,
    traded,
    wishes,
    with_day,
)
from shared.bot.events import Event, told
from shared.bot.notifier import Notifier
from shared.bot.risk import Refusal
from shared.bot.state import BotState, Intent
from shared.bot.strategy_set import StrategySet
from shared.candle import Candle
from shared.errors import OutcomeUnknown
from shared.settings import BotSettings

logger = logging.getLogger(__name__)

_BEGIN = datetime.min.replace(tzinfo=UTC)
STALE = Refusal("STALE", "the signal is too old: its candle closed more than a candle's length ago")


class BotEngine:
    """Call `resume` first, then `on_candle` with each closed candle of each symbol, oldest first, then `save`.

    What raises leaves the engine in need of `resume`, which goes back to what was saved, carries out what is left, and
    asks for the candles since then again: `last_candle` says which was the last. Not for two tasks at once.
    """

    def __init__(
        self,
        settings: BotSettings,
        *,
        strategies: StrategySet,
        desk: OrderDesk,
        broker: BotBroker,
        memory: BotMemory,
        notifier: Notifier,
        observe: Callable[[Event], None] | None = None,
        save_every: int = 1,
    ) -> None:
        """`observe` is told of each trade and refusal. `save_every` says after how many candles at the latest what the
        bot remembers is saved; where something happened it always is."""
        self._settings = settings
        self._strategies = strategies
        self._desk = desk
        self._broker = broker
        self._memory = memory
        self._notifier = notifier
        self._observe = observe
        self._save_every = save_every
        self._length = timedelta(seconds=settings.timeframe.seconds)
        self._state = BotState()
        self._candles: dict[str, datetime] = {}
        self._day_ends = _BEGIN
        self._unsaved = 0
        self.needs_resume = True

    def last_candle(self, symbol: str) -> datetime | None:
        """When the newest candle that was taken in opened; None before the first."""
        return self._candles.get(symbol)

    @property
    def state(self) -> BotState:
        """What is remembered now."""
        return replace(self._state, candles=dict(self._candles), strategies=self._strategies.snapshots())

    async def resume(self, at: datetime | None = None) -> None:
        """Goes on where what was saved ends, and carries out what is left. `at` is the present instant; without it, the
        instant at which that was decided, as in a replay."""
        self.needs_resume = True
        state = await self._memory.load()
        await asyncio.to_thread(self._strategies.restore, state.strategies)
        self._candles = dict(state.candles)
        self._state = state
        self._day_ends = _BEGIN if state.day is None else end_of_day(state.day)
        if state.intents:
            await self._carry_out(state.intents, at=at, resumed=True)
            await self.save()
        self.needs_resume = False

    def warm_up(self, symbol: str, candles: Iterable[Candle]) -> None:
        """Shows the strategies what was before the bot began; nothing is traded."""
        for candle in candles:
            self._strategies.on_candle(symbol, candle)
            self._candles[symbol] = candle.timestamp

    async def join(self, symbol: str, candle: Candle, *, at: datetime) -> None:
        """Enters what the strategies would be in already at `candle`, the newest one of the warm-up; then saves."""
        self.needs_resume = True
        await self._follow(self._strategies.standing(symbol, candle), symbol, candle, at)
        await self.save()
        self.needs_resume = False

    async def on_candle(self, symbol: str, candle: Candle, *, at: datetime) -> None:
        """Takes in a closed candle; `at` is the instant at which that happens, its close or later."""
        self.needs_resume = True
        if self._state.intents:
            await self._carry_out(self._state.intents, at=at, resumed=True)
        await self._broker.on_candle_async(symbol, candle, at=at)
        if self._strategies.heavy:
            signals = await asyncio.to_thread(self._strategies.on_candle, symbol, candle)
        else:
            signals = self._strategies.on_candle(symbol, candle)
        self._candles[symbol] = candle.timestamp
        self._unsaved += 1
        await self._follow(signals, symbol, candle, at)
        if self._unsaved >= self._save_every:
            await self.save()
        self.needs_resume = False

    async def _follow(self, signals: Sequence[StrategySignal], symbol: str, candle: Candle, at: datetime) -> None:
        state = self._state
        if at >= self._day_ends:
            state = await self._on_day_of(at)
        holding = state.holdings.get(symbol)
        if (signals or holding is not None) and not self._waits(symbol):
            wished = wishes(holding, candle, signals)
            if wished.leaves is not None or wished.entry is not None:
                await self._act(wished, symbol, candle, at)

    async def save(self) -> None:
        """Durable when it returns; without it, at most `save_every` candles are taken in again after a crash."""
        self._unsaved = 0
        await self._memory.save(self.state)

    def _waits(self, symbol: str) -> bool:
        """Whether it isn't known yet what came of an order of this symbol."""
        return any(intent.symbol == symbol for intent in self._state.intents)

    async def _on_day_of(self, at: datetime) -> BotState:
        self._state = state = with_day(self._state, at, await self._broker.balances_async(at=at))
        self._day_ends = end_of_day(day_of(at))
        return state

    async def _act(self, wished: Wishes, symbol: str, candle: Candle, at: datetime) -> None:
        funds = None
        if wished.entry is not None:
            funds = funds_of(await self._broker.balances_async(at=at), symbol, self._state)
        intents, refusal = intents_of(
            wished, symbol=symbol, candle=candle, at=at, state=self._state, settings=self._settings, funds=funds
        )
        if refusal is not None and wished.entry is not None:
            self._refused(refusal, at=at, symbol=symbol, strategy=wished.entry.strategy)
        allowed = [intent for intent in intents if intent.reduces or await self._is_allowed(intent, candle)]
        if allowed:
            self._state = due(self._state, allowed)
            await self._memory.save(self.state)
            await self._carry_out(allowed, at=at, resumed=False)

    async def _is_allowed(self, intent: Intent, candle: Candle) -> bool:
        """Asks before anything is saved, so that an entry that is refused costs no write."""
        refusal: Refusal | None = None
        if intent.at - candle.timestamp > 2 * self._length:
            refusal = STALE
        elif reasons := await self._desk.refusals(intent):
            refusal = Refusal(reasons[0].code, reasons[0].sentence)
        if refusal is not None:
            self._refused(refusal, at=intent.at, symbol=intent.symbol, strategy=intent.strategy, intent=intent)
        return refusal is None

    async def _carry_out(self, intents: Sequence[Intent], *, at: datetime | None, resumed: bool) -> None:
        for intent in intents:
            if not intent.reduces and intent.symbol in self._state.holdings:
                carried = Carried(None, "STILL_HELD", "the position before it is still there")
            else:
                try:
                    carried = await self._desk.carry_out(
                        intent, at=at or intent.at, fresh_for=self._length, resumed=resumed
                    )
                except (OutcomeUnknown, StillOpen) as exc:
                    logger.warning("the bot's order %s waits: %s", intent.client_order_id, exc)
                    await self._notifier.notify_async("Trading bot", f"an order waits: {exc}")
                    continue
            await self._settle(intent, carried)

    async def _settle(self, intent: Intent, carried: Carried) -> None:
        order = carried.order
        left = tuple(each for each in self._state.intents if each is not intent)
        self._state = replace(self._state, intents=left)
        if order is None:
            refusal = Refusal(carried.code, carried.why)
            self._refused(refusal, at=intent.at, symbol=intent.symbol, strategy=intent.strategy, intent=intent)
            if intent.reduces and not await self._is_held(intent):
                self._state = self._state.with_holding(intent.symbol, None)
            return
        self._state = traded(self._state, intent, order, self._settings).counted(intent.purpose)
        text = told(intent, order)
        if self._observe is not None:
            event = Event(
                "traded", intent.at, intent.symbol, intent.strategy, intent.purpose, text, intent=intent, order=order
            )
            self._observe(event)
        await self._notifier.notify_async("Trading bot", text)

    async def _is_held(self, intent: Intent) -> bool:
        """Whether the broker knows of the position that the intent was to reduce: others may have closed it."""
        side = "long" if intent.side == "sell" else "short"
        positions = await self._broker.positions_async(at=intent.at)
        return any(each.symbol == intent.symbol and each.side == side for each in positions)

    def _refused(
        self, refusal: Refusal, *, at: datetime, symbol: str, strategy: str, intent: Intent | None = None
    ) -> None:
        self._state = self._state.counted(refusal.code)
        if self._observe is not None:
            self._observe(Event("refused", at, symbol, strategy, refusal.code, refusal.sentence, intent=intent))

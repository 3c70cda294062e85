"""The old bot: one synchronous loop. Mended in one thing: each order's trade is registered, where the old code
registered one for a whole cycle."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from legacy_flask.orders import Orders
from legacy_flask.trading_window import TradingWindow
from shared.bot.account import account_of
from shared.bot.broker import BotBroker
from shared.bot.control import begun_here, ended_here
from shared.bot.decisions import StrategySignal, day_of, due, funds_of, intents_of, traded, wishes, with_day
from shared.bot.events import ORDER_REFUSED, Event, told
from shared.bot.lease import released, renewed, saved, taken
from shared.bot.notifier import LogNotifier, Notifier, open_notifier
from shared.bot.opening import open_bot_store, open_trading
from shared.bot.order_ids import OrderIds
from shared.bot.risk import Refusal
from shared.bot.state import BotState, Intent
from shared.bot.store.base import BotStore
from shared.bot.strategy_set import StrategySet
from shared.broker.service import BrokerService
from shared.candle import Candle
from shared.clock import Clock, SystemClock, utc_text
from shared.errors import LeaseLost, OutcomeUnknown, Refused, StoreUnavailable, TradingWindowError
from shared.market.base import Market
from shared.ports import LivePorts
from shared.settings import BotSettings, Settings, load_settings
from shared.store.base import Store
from shared.store.opening import open_store
from shared.strategies.registry import StrategyRegistry
from shared.wire_fields import MAX_CANDLES

logger = logging.getLogger(__name__)


class TradingBot:
    """Reads the market, asks its strategies and the trading window `default`, sends orders, registers their trades.

    The window has to be in `windows` already. What it remembers is saved after each candle in which something happened:
    unlike the new bot, it doesn't finish what an earlier run was in the middle of.
    """

    def __init__(
        self,
        settings: BotSettings,
        *,
        market: Market,
        broker: BotBroker,
        windows: Store,
        bots: BotStore,
        clock: Clock | None = None,
        notifier: Notifier | None = None,
        registry: StrategyRegistry | None = None,
        observe: Callable[[Event], None] | None = None,
    ) -> None:
        """`observe` is told of each trade and refusal. Raises UnknownStrategy, BrokenStrategy and InvalidField for what
        the settings name."""
        self._settings = settings
        self._market = market
        self._broker = broker
        self._bots = bots
        self._clock = clock or SystemClock()
        self._notifier = notifier or LogNotifier()
        self._observe = observe
        self._strategies = StrategySet(settings, registry)
        self._ids = OrderIds()
        services = {"broker": BrokerService(broker)}
        self._live = LivePorts(store=windows, clock=self._clock, ids=self._ids, services=services)
        self.account = account_of(market, broker)
        self.holder = f"{socket.gethostname()}-{os.getpid()}"
        self._stopping = threading.Event()
        self._candles: dict[str, datetime] = {}
        self._state = BotState()

    @property
    def state(self) -> BotState:
        """What is remembered now."""
        return replace(self._state, candles=dict(self._candles), strategies=self._strategies.snapshots())

    def start(self) -> None:
        """Takes the lease, and goes on with what was saved. Raises LeaseHeld while another process runs the bot, and
        OtherAccount."""
        now = self._clock.now()
        row = self._bots.change(taken(self.holder, account=self.account, at=now, until=now + self._lease()))
        if row.state is not None:
            self._state = BotState.of_json(row.state)
            self._candles = dict(self._state.candles)
            self._strategies.restore(self._state.strategies)
        self._stopping.clear()

    def run(self) -> None:
        """Cycles until `stop` is called from another thread, the row says that the bot is stopped, or the lease is
        lost; `start` comes before it. Then the bot is to run no more, unless another process has it."""
        try:
            while not self._stopping.is_set():
                self._guarded_cycle()
                self._stopping.wait(self._settings.cycle_seconds)
        finally:
            self._bots.change(ended_here(self.holder))
            self._bots.change(released(self.holder))

    def stop(self) -> None:
        """Lets the cycle that is under way finish."""
        self._stopping.set()

    def cycle(self) -> int:
        """Takes in what is closed and new of each symbol, and answers with how many candles that were."""
        taken_in = 0
        timeframe = self._settings.timeframe
        for symbol in self._settings.symbols:
            now, last = self._clock.now(), self._candles.get(symbol)
            if last is None:
                before = min(self._strategies.warm_up, MAX_CANDLES)
                candles = self._market.candles(symbol, timeframe, before, at=now)
                for candle in candles:
                    self._strategies.on_candle(symbol, candle)
                    self._candles[symbol] = candle.timestamp
                if candles and self._settings.join_trend:
                    self._follow(self._strategies.standing(symbol, candles[-1]), symbol, candles[-1], at=now)
                continue
            for candle in self._market.candles_after(symbol, timeframe, last, MAX_CANDLES, until=now):
                self.on_candle(symbol, candle, at=self._clock.now())
                taken_in += 1
        return taken_in

    def on_candle(self, symbol: str, candle: Candle, *, at: datetime) -> None:
        """Takes in a closed candle; `at` is the instant at which that happens, its close or later."""
        self._broker.on_candle(symbol, candle, at=at)
        signals = self._strategies.on_candle(symbol, candle)
        self._candles[symbol] = candle.timestamp
        self._follow(signals, symbol, candle, at=at)

    def _follow(self, signals: Sequence[StrategySignal], symbol: str, candle: Candle, *, at: datetime) -> None:
        if self._state.day is None or day_of(at) > self._state.day:
            self._state = with_day(self._state, at, self._broker.balances(at=at))
        wished = wishes(self._state.holdings.get(symbol), candle, signals)
        funds = funds_of(self._broker.balances(at=at), symbol, self._state) if wished.entry else None
        intents, refusal = intents_of(
            wished, symbol=symbol, candle=candle, at=at, state=self._state, settings=self._settings, funds=funds
        )
        if refusal is not None and wished.entry is not None:
            self._refused(refusal, at=at, symbol=symbol, strategy=wished.entry.strategy)
        for intent in intents:
            self._state = replace(due(self._state, [intent]), intents=())
            self._trade(intent)
        if intents:
            self._bots.change(saved(self.holder, self.state.to_json()))

    def _trade(self, intent: Intent) -> None:
        """One order, and its trade."""
        if not intent.reduces and intent.symbol in self._state.holdings:
            self._refused_intent(intent, Refusal("STILL_HELD", "the position before it is still there"))
            return
        self._ids.client_order_id = intent.client_order_id
        ports = self._live.for_request()
        try:
            Orders(ports, TradingWindow({}, ports=ports)).send(intent.request(), strategy=intent.strategy)
        except Refused as refusal:
            reason = refusal.reasons[0]
            self._refused_intent(intent, Refusal(reason.code, reason.sentence))
            return
        except OutcomeUnknown:
            raise
        except TradingWindowError as error:
            logger.warning("the order %s was refused: %s", intent.client_order_id, error)
            self._refused_intent(intent, Refusal(ORDER_REFUSED, str(error)))
            return
        order = self._broker.order_by_client_id(intent.client_order_id)
        if order is not None and order.filled_quantity:
            self._state = traded(self._state, intent, order, self._settings).counted(intent.purpose)
            text = told(intent, order)
            if self._observe is not None:
                self._observe(
                    Event("traded", intent.at, intent.symbol, intent.strategy, intent.purpose, text, intent, order)
                )
            self._notifier.notify("Trading bot", text)

    def _refused_intent(self, intent: Intent, refusal: Refusal) -> None:
        self._refused(refusal, at=intent.at, symbol=intent.symbol, strategy=intent.strategy, intent=intent)

    def _refused(
        self, refusal: Refusal, *, at: datetime, symbol: str, strategy: str, intent: Intent | None = None
    ) -> None:
        self._state = self._state.counted(refusal.code)
        if self._observe is not None:
            self._observe(Event("refused", at, symbol, strategy, refusal.code, refusal.sentence, intent))

    def _guarded_cycle(self) -> None:
        told: dict[str, Any] = {"at": utc_text(self._clock.now()), "candles": 0, "error": None}
        try:
            try:
                told["candles"] = self.cycle()
            except LeaseLost:
                raise
            except Exception as exc:
                logger.exception("a cycle of the bot failed; the next one goes on")
                told["error"] = str(exc)
                self._notifier.notify("Trading bot", f"a cycle failed: {exc}")
            until = self._clock.now() + self._lease()
            row = self._bots.change(renewed(self.holder, until=until, last_cycle=told))
            if row.desired == "stopped":
                self.stop()
        except LeaseLost as exc:
            logger.warning("the bot stops here: %s", exc)
            self._stopping.set()
        except StoreUnavailable:
            logger.exception("the bot's lease could not be renewed")

    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.lease_seconds)


def main(settings: Settings | None = None) -> None:
    """Runs the bot until it is interrupted, or stopped in its row. Without settings it reads the process's own."""
    settings = settings or load_settings()
    with contextlib.ExitStack() as opened:
        windows = opened.enter_context(contextlib.closing(open_store(settings)))
        bots = opened.enter_context(contextlib.closing(open_bot_store(settings.store)))
        market, broker = open_trading(settings)
        opened.callback(market.close)
        opened.callback(broker.close)
        notifier = open_notifier(settings.bot)
        bot = TradingBot(settings.bot, market=market, broker=broker, windows=windows, bots=bots, notifier=notifier)
        bots.change(begun_here(settings.bot, account=bot.account, holder=bot.holder, at=SystemClock().now()))
        try:
            bot.start()
            bot.run()
        except KeyboardInterrupt:
            logger.info("the bot was interrupted")
        finally:
            bots.change(ended_here(bot.holder))
            bots.change(released(bot.holder))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    main()

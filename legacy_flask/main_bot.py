"""The old bot: one synchronous loop. Mended in one thing: each order's trade is registered, where the old code
registered one for a whole cycle."""

import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from legacy_flask.orders import Orders
from legacy_flask.stop_signals import stopped_by_signals
from legacy_flask.trading_window import TradingWindow
from shared.bot.account import account_of
from shared.bot.broker import BotBroker
from shared.bot.control import begun_here, ended_here, told_at_start
from shared.bot.decisions import (
    NOTHING,
    STALE,
    StrategySignal,
    day_of,
    due,
    funds_of,
    intents_of,
    is_stale,
    traded,
    wishes,
    with_day,
)
from shared.bot.events import ORDER_REFUSED, Event, told
from shared.bot.lease import released, renewed, saved, taken
from shared.bot.notifier import LogNotifier, Notifier, open_notifier
from shared.bot.opening import open_bot_store, open_trading
from shared.bot.order_ids import OrderIds
from shared.bot.risk import Refusal
from shared.bot.state import BotState, Intent
from shared.bot.store.base import BotStore
from shared.bot.strategy_set import StrategySet
from shared.broker.base import Order, given_up_after
from shared.broker.service import BrokerService
from shared.candle import Candle
from shared.clock import Clock, SystemClock, utc_text
from shared.entry import CANT_START_EXIT_CODE, log_to_stderr
from shared.errors import (
    BotIsRunning,
    LeaseHeld,
    LeaseLost,
    OtherAccount,
    OutcomeUnknown,
    Refused,
    SettingsError,
    StoreUnavailable,
    TradingWindowError,
)
from shared.market.base import Market
from shared.ports import LivePorts
from shared.settings import BotSettings, Settings, load_settings
from shared.store.base import Store
from shared.store.opening import open_store
from shared.strategies.registry import StrategyRegistry
from shared.window import DEFAULT_WINDOW_ID
from shared.wire_fields import MAX_CANDLES

logger = logging.getLogger(__name__)


class TradingBot:
    """Reads the market, asks its strategies and the trading window `default`, sends orders, registers their trades.

    The window has to be in `windows` already. What it remembers is saved before an order goes out, and after each
    candle in which something happened. An order whose outcome nobody knows, or that an earlier run was in the middle
    of, is asked for with each candle; unlike the new bot, it sends none that an earlier run was going to send.
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
        self._failing: str | None = None
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
        """Lets the candle that is under way be finished."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def cycle(self) -> int:
        """Takes in what is closed and new of each symbol, until it is stopped, and answers with how many candles that
        were."""
        taken_in = 0
        timeframe = self._settings.timeframe
        for symbol in self._state.watched(self._settings.symbols):
            now, last = self._clock.now(), self._candles.get(symbol)
            if last is None:
                before = min(self._strategies.warm_up, MAX_CANDLES)
                self._begin(symbol, self._market.candles(symbol, timeframe, before, at=now), at=now)
                continue
            for candle in self._market.candles_after(symbol, timeframe, last, MAX_CANDLES, until=now):
                if self._stopping.is_set():
                    break
                self.on_candle(symbol, candle, at=self._clock.now())
                taken_in += 1
        return taken_in

    def on_candle(self, symbol: str, candle: Candle, *, at: datetime) -> None:
        """Takes in a closed candle; `at` is the instant at which that happens, its close or later."""
        for intent in self._state.intents:
            self._ask_again(intent, at)
        self._broker.on_candle(symbol, candle, at=at)
        self._begin_day(at)
        with self._taken_back_where_it_fails():
            signals = self._strategies.on_candle(symbol, candle)
            self._candles[symbol] = candle.timestamp
            intents = self._intents(signals, symbol, candle, at=at)
        self._carry_out(intents)

    def _begin(self, symbol: str, candles: Sequence[Candle], *, at: datetime) -> None:
        """Shows the strategies what was before the bot began, and joins the trend where the settings say so."""
        intents: tuple[Intent, ...] = ()
        with self._taken_back_where_it_fails():
            for candle in candles:
                self._strategies.on_candle(symbol, candle)
                self._candles[symbol] = candle.timestamp
            if candles and self._settings.join_trend:
                standing = self._strategies.standing(symbol, candles[-1])
                intents = self._intents(standing, symbol, candles[-1], at=at)
        self._carry_out(intents)

    @contextlib.contextmanager
    def _taken_back_where_it_fails(self) -> Iterator[None]:
        """The next cycle takes the same candles in again: what they call for is not lost."""
        strategies, candles = self._strategies.snapshots(), dict(self._candles)
        try:
            yield
        except Exception:
            self._strategies.restore(strategies)
            self._candles = candles
            raise

    def _intents(
        self, signals: Sequence[StrategySignal], symbol: str, candle: Candle, *, at: datetime
    ) -> tuple[Intent, ...]:
        self._begin_day(at)
        waits = any(intent.symbol == symbol for intent in self._state.intents)
        wished = NOTHING if waits else wishes(self._state.holdings.get(symbol), candle, signals)
        funds = funds_of(self._broker.balances(at=at), symbol, self._state) if wished.entry else None
        intents, refusal = intents_of(
            wished, symbol=symbol, candle=candle, at=at, state=self._state, settings=self._settings, funds=funds
        )
        if refusal is not None and wished.entry is not None:
            self._refused(refusal, at=at, symbol=symbol, strategy=wished.entry.strategy)
        for intent in intents:
            if is_stale(intent, candle, self._settings):
                self._refused_intent(intent, STALE)
        return tuple(intent for intent in intents if not is_stale(intent, candle, self._settings))

    def _carry_out(self, intents: tuple[Intent, ...]) -> None:
        if intents:
            self._state = due(self._state, intents)
            self._save()
            for intent in intents:
                self._trade(intent)
            self._save()

    def _begin_day(self, at: datetime) -> None:
        if self._state.day is None or day_of(at) > self._state.day:
            self._state = with_day(self._state, at, self._broker.balances(at=at))

    def _trade(self, intent: Intent) -> None:
        """One order, and its trade. Where nobody knows what came of it, the intent stays, and the order is asked for
        with the next candle."""
        if not intent.reduces and intent.symbol in self._state.holdings:
            self._refused_intent(intent, Refusal("STILL_HELD", "the position before it is still there"))
            return
        # Who has lost the lease sends nothing: nobody would know of the position.
        self._bots.change(renewed(self.holder, until=self._clock.now() + self._lease()))
        orders, _ = self._desk(intent)
        try:
            orders.send(intent.request(), strategy=intent.strategy)
        except Refused as refusal:
            reason = refusal.reasons[0]
            self._refused_intent(intent, Refusal(reason.code, reason.sentence))
            return
        except OutcomeUnknown as unknown:
            logger.warning("the bot's order %s waits: %s", intent.client_order_id, unknown)
            self._notifier.notify("Trading bot", f"an order waits: {unknown}")
            return
        except TradingWindowError as error:
            logger.warning("the order %s was refused: %s", intent.client_order_id, error)
            self._refused_intent(intent, Refusal(ORDER_REFUSED, str(error)))
            return
        order = self._broker.order_by_client_id(intent.client_order_id)
        if order is not None:
            self._settled(intent, order)

    def _ask_again(self, intent: Intent, at: datetime) -> None:
        """What came of an order that may have gone out; one that the broker doesn't know is given up once it is older
        than `given_up_after` says."""
        orders, window = self._desk(intent)
        try:
            order = self._broker.order_by_client_id(intent.client_order_id)
        except OutcomeUnknown:
            return
        if order is not None:
            orders.account_for(order.to_json(), strategy=intent.strategy)
            self._settled(intent, order)
            self._save()
            return
        config = self._live.for_request().windows.snapshot(DEFAULT_WINDOW_ID).config
        permit = window.permit_of_order(intent.client_order_id)
        sent_at = intent.at if permit is None else datetime.fromisoformat(permit["reserved_at"])
        if at >= sent_at + given_up_after(config.in_doubt_after_seconds, self._broker.settles_after_seconds):
            why = "the broker knows no such order"
            if permit is None or orders.give_up(permit, why) is None:
                self._refused_intent(intent, Refusal(ORDER_REFUSED, why))
                self._save()

    def _settled(self, intent: Intent, order: Order) -> None:
        """One that is still open waits on."""
        if order.status == "open":
            return
        if not order.filled_quantity:
            self._refused_intent(intent, Refusal(ORDER_REFUSED, f"the order was {order.status}"))
            return
        self._state = traded(self._without(intent), intent, order, self._settings).counted(intent.purpose)
        text = told(intent, order)
        if self._observe is not None:
            self._observe(
                Event("traded", intent.at, intent.symbol, intent.strategy, intent.purpose, text, intent, order)
            )
        self._notifier.notify("Trading bot", text)

    def _refused_intent(self, intent: Intent, refusal: Refusal) -> None:
        self._state = self._without(intent)
        self._refused(refusal, at=intent.at, symbol=intent.symbol, strategy=intent.strategy, intent=intent)
        if intent.reduces and not self._is_held(intent):
            self._state = self._state.with_holding(intent.symbol, None)

    def _is_held(self, intent: Intent) -> bool:
        """Whether the broker knows of the position that the intent was to reduce: others may have closed it."""
        side = "long" if intent.side == "sell" else "short"
        positions = self._broker.positions(at=intent.at)
        return any(each.symbol == intent.symbol and each.side == side for each in positions)

    def _without(self, intent: Intent) -> BotState:
        return replace(self._state, intents=tuple(each for each in self._state.intents if each is not intent))

    def _desk(self, intent: Intent) -> tuple[Orders, TradingWindow]:
        self._ids.client_order_id = intent.client_order_id
        ports = self._live.for_request()
        window = TradingWindow({}, ports=ports)
        return Orders(ports, window), window

    def _save(self) -> None:
        self._bots.change(saved(self.holder, self.state.to_json()))

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
                if self._failing != str(exc):  # once: a cycle comes every few seconds
                    self._notifier.notify("Trading bot", f"a cycle failed: {exc}")
            self._failing = told["error"]
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
    """Runs the bot until SIGINT or SIGTERM comes, or it is stopped in its row. Without settings it reads the process's
    own. A second signal, or SIGINT while it starts, raises KeyboardInterrupt."""
    settings = settings or load_settings()
    with contextlib.ExitStack() as opened:
        bots = opened.enter_context(contextlib.closing(open_bot_store(settings.store)))
        market, broker = open_trading(settings)
        opened.callback(market.close)
        opened.callback(broker.close)
        notifier = open_notifier(settings.bot)
        windows = opened.enter_context(contextlib.closing(open_store(settings)))
        bot = TradingBot(settings.bot, market=market, broker=broker, windows=windows, bots=bots, notifier=notifier)
        bots.change(begun_here(settings.bot, account=bot.account, holder=bot.holder, at=SystemClock().now()))
        try:
            bot.start()
            config = windows.snapshot(DEFAULT_WINDOW_ID).config
            with stopped_by_signals(bot):
                logger.info("%s", told_at_start(settings.bot, holder=bot.holder, account=bot.account, window=config))
                bot.run()
            logger.info("the bot has stopped")
        finally:
            bots.change(ended_here(bot.holder))
            bots.change(released(bot.holder))


def run_main() -> None:
    """The bot as a process of its own. What the operator must mend is one sentence, and the exit code 3."""
    log_to_stderr()
    try:
        main()
    except KeyboardInterrupt:  # while it started, or a second one
        logger.info("the bot was interrupted")
    except (SettingsError, BotIsRunning, LeaseHeld, OtherAccount) as exc:
        sys.stderr.write(f"the bot can't start: {exc}\n")
        sys.exit(CANT_START_EXIT_CODE)


if __name__ == "__main__":
    run_main()

"""Where prices are made up, each answer that shows them, or what came of them, says so."""

from dataclasses import replace

from tests.parity.case import NOT_FOUND, Answer, Case, Left, get, head, head_of, ok, stray
from tests.parity.case_orders import (
    MARKET_ORDER,
    ORDERS,
    balances,
    filled_at_once,
    found,
    listed,
    placed,
    positions,
    post_order,
)
from tests.parity.cases import backtest, bot, health, market, orders
from tests.parity.cases.can_trade import YES


def said(answer: Answer) -> Answer:
    return replace(answer, other_headers=(*answer.other_headers, ("x-prices", "synthetic")))


MARKET_SAYS = "synthetic (made up, seed 1)"

CASES = (
    Case(
        name="made-up prices: the market's, and what is made of them, say so",
        prices=MARKET_SAYS,
        steps=(
            (get("/api/health"), said(health.HEALTHY)),
            (head("/api/health"), said(head_of(health.HEALTHY))),
            (get("/api/status"), said(bot.whole(bot.told("stopped"), at=bot.NOON))),
            (get(f"{market.TICKER}/BTC-USD"), said(market.BITCOIN)),
            (head(f"{market.TICKER}/BTC-USD"), said(head_of(market.BITCOIN))),
            (get(f"{market.OHLCV}/BTC-USD"), said(market.candles(*market.CANDLES))),
            (get(f"{market.BOOK}/BTC-USD?limit=3"), said(market.THREE_LEVELS)),
            (get(bot.STATUS), said(ok(bot.told("stopped")))),
            (get(backtest.STRATEGIES), said(backtest.LISTED)),
        ),
    ),
    Case(
        name="made-up prices: a backtest over them says so",
        prices=MARKET_SAYS,
        at="2025-03-03T12:05:00Z",
        config={"max_trades_per_day": 1},
        steps=((backtest.post_backtest(backtest.WAVE), said(backtest.LIMITED)),),
    ),
    Case(
        name="made-up prices: what was traded at them says so",
        prices=MARKET_SAYS,
        steps=(
            (post_order(MARKET_ORDER), said(placed(orders.BOUGHT))),
            (get(ORDERS), said(listed(orders.BOUGHT))),
            (get(f"{ORDERS}/paper-1"), said(found(orders.BOUGHT))),
            (get(orders.BALANCES), said(balances("67842.79992500", "99967.84992500"))),
            (get(orders.POSITIONS), said(positions(orders.long("0.50", "-0.02500000")))),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(*filled_at_once(1, 1, orders.BOUGHT),),
        ),
    ),
    Case(
        name="made-up prices: a bot that is told to trade at them says so",
        prices=MARKET_SAYS,
        steps=((bot.post(bot.START), said(bot.STARTED)), (bot.post(bot.STOP), said(bot.STOPPED))),
        leaves=Left(),
    ),
    Case(
        name="made-up prices: errors, and the trading window's own answers, show none",
        prices=MARKET_SAYS,
        steps=(
            *((request, market.unknown("'XRP-USD'")) for request in market.each("XRP-USD")),
            (bot.post(bot.STOP), bot.RUNS_NOT),
            (get("/api/trading-window/can-trade"), YES),
            (stray("GET", "/api/nothing"), NOT_FOUND),
        ),
    ),
)

"""Native reads of the ledger that find something else."""

from dataclasses import replace
from typing import Any

from fastapi_app import trading_window_async
from fastapi_app.trading_window_async import TradingWindowAsync
from shared.store.base import LedgerQuery
from tests.parity.divergences.seeding import Divergences, Json, Native
from tests.parity.divergences.traffic import GET_TRADES

LEDGER_READS = Divergences()


@LEDGER_READS.at(GET_TRADES, "body.trades[50]", "body.count")
def another_default_for_the_limit(native: Native) -> None:
    _ask_for(native, lambda query: replace(query, limit=100 if query.limit == 50 else query.limit))


@LEDGER_READS.at(GET_TRADES, "body.trades[1]", "body.count")
def the_limit_is_ignored(native: Native) -> None:
    _ask_for(native, lambda query: replace(query, limit=50))


@LEDGER_READS.at(GET_TRADES, "body.count")
def the_limit_is_off_by_one(native: Native) -> None:
    _ask_for(native, lambda query: replace(query, limit=query.limit + 1))


@LEDGER_READS.at(GET_TRADES, "body.trades[1]", "body.count", times=1)
def the_filter_by_symbol_is_ignored(native: Native) -> None:
    _ask_for(native, lambda query: replace(query, symbol=None))


@LEDGER_READS.at(GET_TRADES, "body.trades[2]", "body.count", times=2)
def the_filter_by_date_is_ignored(native: Native) -> None:
    _ask_for(native, lambda query: replace(query, trade_day=None))


@LEDGER_READS.at(GET_TRADES, "body.trades[0]", "body.trades[2]", "body.count")
def entries_of_other_kinds_are_listed(native: Native) -> None:
    _ask_for(native, lambda query: replace(query, kind=None))


@LEDGER_READS.at(GET_TRADES, "body.trades[0]")
def the_newest_entry_is_not_seen_yet(native: Native) -> None:
    def make(get_trades: Any) -> Any:
        async def wrong(window: TradingWindowAsync, query: Any) -> Any:
            return (await get_trades(window, query))[1:]

        return wrong

    native.replace(TradingWindowAsync, "get_trades", make)


@LEDGER_READS.at(GET_TRADES, "body.trades[0]")
def the_order_is_the_other_way_round(native: Native) -> None:
    native.json(lambda body: body["trades"].reverse(), status=200)


@LEDGER_READS.at(GET_TRADES, "body.count")
def the_count_is_that_of_all(native: Native) -> None:
    native.json(lambda body: body.update(count=55), status=200)


@LEDGER_READS.at(GET_TRADES, "body.trades[0].sequence")
def an_entry_shows_more_than_it_should(native: Native) -> None:
    native.json(lambda body: [trade.update(sequence=1) for trade in body["trades"]], status=200)


@LEDGER_READS.at(GET_TRADES, "body.trades[0].price")
def a_price_loses_its_closing_zero(native: Native) -> None:
    def change(body: Json) -> None:
        for trade in body["trades"]:
            trade["price"] = trade["price"].rstrip("0")

    native.json(change, status=200)


def _ask_for(native: Native, change: Any) -> None:
    def make(made: Any) -> Any:
        def wrong(**fields: Any) -> LedgerQuery:
            query: LedgerQuery = change(made(**fields))
            return query

        return wrong

    native.replace(trading_window_async, "LedgerQuery", make)

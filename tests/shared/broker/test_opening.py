from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.broker.exchange import ExchangeBroker
from shared.broker.opening import broker_in_memory, open_broker
from shared.errors import SettingsError
from shared.exchange_client import ExchangeClient
from shared.settings import BrokerSettings, ExchangeSettings, MarketSettings, Settings, StoreSettings
from tests.shared.broker.markets import NOON, Market, buy

SETTINGS = BrokerSettings(
    balances={"USD": Decimal(500)},
    quanta={"USD": Decimal("0.01")},
    fee_rate=Decimal("0.001"),
    slippage_rate=Decimal("0.05"),
)


def test_the_settings_say_what_there_is_and_what_trading_costs() -> None:
    with closing(broker_in_memory(SETTINGS, Market(BTC_USD="100"))) as broker:
        bought = broker.place(buy("1.5"), at=NOON)
        assert (bought.average_price, str(bought.fee)) == (Decimal(105), "0.16")  # 0.1575, in cents
        assert [str(each.available) for each in broker.balances(at=NOON)] == ["342.34"]


def test_the_account_lies_in_the_store_s_file(state_file: Path) -> None:
    settings = Settings(store=StoreSettings(path=state_file), broker=SETTINGS)
    market = Market(BTC_USD="100")
    with closing(open_broker(settings, market)) as broker:
        bought = broker.place(buy("1"), at=NOON)
    with closing(open_broker(settings, market)) as again:
        assert again.order(bought.id) == bought


KEYS = {"api_key": SecretStr("key"), "api_secret": SecretStr("secret")}


def at_exchange(
    *, symbols: tuple[str, ...] = ("BTC-USDT",), live: bool = False, market: Any = "exchange", **exchange: Any
) -> Settings:
    return Settings(
        broker=BrokerSettings(kind="exchange", symbols=list(symbols), live=live),
        market=MarketSettings(kind=market),
        exchange=ExchangeSettings(**{**KEYS, **exchange}),
    )


def test_an_exchange_is_not_asked_before_somebody_asks() -> None:
    with closing(open_broker(at_exchange(url="http://127.0.0.1:9"), Market())) as broker:
        assert isinstance(broker, ExchangeBroker)


def test_the_market_s_client_can_be_shared() -> None:
    settings = at_exchange()
    client = ExchangeClient(settings.exchange)
    broker = open_broker(settings, Market(), client)
    assert isinstance(broker, ExchangeBroker)
    assert broker._client is client


def test_real_money_is_traded_where_the_settings_say_so_twice() -> None:
    assert isinstance(open_broker(at_exchange(sandbox=False, live=True), Market()), ExchangeBroker)
    with pytest.raises(SettingsError) as caught:
        open_broker(at_exchange(sandbox=False), Market())
    assert str(caught.value) == (
        "broker.live: false is not true, which trading with real money needs (exchange.sandbox is false)"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": "bybit"}, 'exchange.name: "bybit" is not an exchange that takes orders here: binance'),
        ({"symbols": ()}, 'broker.symbols: [] is not a list of symbols, which broker.kind "exchange" needs'),
        (
            {"market": "synthetic"},
            'market.kind: "synthetic" is not "exchange", from which a broker of kind "exchange" takes its prices',
        ),
        (
            {"api_secret": None},
            'broker.kind "exchange" needs keys: TRADEWINDOW_EXCHANGE__API_KEY and TRADEWINDOW_EXCHANGE__API_SECRET',
        ),
    ],
)
def test_what_the_exchange_broker_needs_stops_the_start_where_it_lacks(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_broker(at_exchange(**given), Market())
    assert str(caught.value) == sentence

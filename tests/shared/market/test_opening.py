import logging
from pathlib import Path
from typing import Any

import pytest

from shared.candle import Timeframe
from shared.errors import BadCandle, SettingsError
from shared.exchange_client import ExchangeClient
from shared.market.opening import open_market
from shared.market.recorded import RecordedMarket
from shared.market.synthetic import SyntheticMarket
from shared.settings import ExchangeSettings, MarketSettings, Settings
from tests.shared.market.recorded import BEGIN, CANDLES, END, csv_text


def settings_of(**given: Any) -> Settings:
    return Settings(market=MarketSettings(**given))


def test_the_default_is_synthetic_and_says_so_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        market = open_market(Settings())
    assert isinstance(market, SyntheticMarket)
    assert market.symbols() == ("BTC-USD", "ETH-USD")
    assert caplog.messages == ["prices come from: synthetic (made up, seed 1)"]


def test_two_processes_with_one_seed_see_one_market() -> None:
    one, other = (open_market(settings_of(seed=5, symbols=["SOL-EUR"])) for _ in range(2))
    third = open_market(settings_of(seed=6, symbols=["SOL-EUR"]))
    assert one.ticker("SOL-EUR", at=BEGIN) == other.ticker("SOL-EUR", at=BEGIN) != third.ticker("SOL-EUR", at=BEGIN)


def test_files_are_read_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "btc.csv"
    path.write_text(csv_text())
    market = open_market(settings_of(kind="file", files={"BTC-USD": path}))
    assert isinstance(market, RecordedMarket)
    assert market.candles("BTC-USD", Timeframe.MINUTE, 2, at=END) == CANDLES[-2:]

    path.write_text(csv_text().replace("1010,", "ten,"))
    with pytest.raises(BadCandle, match="line 11: close"):
        open_market(settings_of(kind="file", files={"BTC-USD": path}))
    path.write_text(csv_text())
    with pytest.raises(BadCandle, match=r"line 3: timestamp: .* is not the open of a candle of 1h"):
        open_market(settings_of(kind="file", files={"BTC-USD": path}, timeframe=Timeframe.HOUR))


def test_files_have_to_be_named() -> None:
    with pytest.raises(SettingsError) as caught:
        open_market(settings_of(kind="file"))
    assert str(caught.value) == (
        'market.files: {} is not a table of symbols and files, such as { "BTC-USD" = "candles.csv" }, '
        'which market.kind "file" needs'
    )


def test_an_exchange_is_not_asked_before_somebody_asks() -> None:
    settings = Settings(market=MarketSettings(kind="exchange"), exchange=ExchangeSettings(url="http://127.0.0.1:9"))
    market = open_market(settings)
    assert market.source == "binance (sandbox)"
    market.close()


def test_the_brokers_client_can_be_shared() -> None:
    client = ExchangeClient(ExchangeSettings(sandbox=False))
    assert open_market(settings_of(kind="exchange"), client).source == "binance"


def test_an_exchange_that_cannot_be_stops_the_start() -> None:
    settings = Settings(market=MarketSettings(kind="exchange"), exchange=ExchangeSettings(name="kraken"))
    with pytest.raises(SettingsError, match="kraken has no sandbox"):
        open_market(settings)

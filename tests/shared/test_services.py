"""The services that a process makes of its settings."""

from decimal import Decimal
from pathlib import Path

import pytest

from shared.errors import CandleFileError
from shared.outbound import Services
from shared.ports import LivePorts
from shared.services import open_services
from shared.settings import BrokerSettings, MarketSettings, Settings, StoreSettings
from shared.store.memory import MemoryStore
from shared.store.opening import open_store

AT = "2026-03-04T12:34:56.789000Z"


def test_the_market_is_synthetic_unless_told_otherwise_and_says_so() -> None:
    services = Services(open_services(Settings()))
    assert services.read("market", "source") == "synthetic (made up, seed 1)"
    ticker = services.read("market", "ticker", symbol="BTC-USD", at=AT)
    assert (ticker["symbol"], ticker["timestamp"]) == ("BTC-USD", "2026-03-04T12:34:56.000000Z")


def test_the_market_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("timestamp,open,high,low,close,volume\n2026-03-04T10:00:00Z,10,12.50,9.75,11,0.10\n")
    settings = Settings(market=MarketSettings(kind="file", files={"BTC-USD": file}))
    services = Services(open_services(settings))
    assert services.read("market", "source") == f"recorded (BTC-USD from {file})"
    assert services.read("market", "ticker", symbol="BTC-USD", at=AT)["last"] == "11"


def test_the_broker_is_durable_in_the_store_s_file_and_trades_at_the_market_s_prices(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("timestamp,open,high,low,close,volume\n2026-03-04T10:00:00Z,10,12.50,9.75,11,0.10\n")
    settings = Settings(
        store=StoreSettings(path=tmp_path / "state.sqlite3"),
        market=MarketSettings(kind="file", files={"BTC-USD": file}),
        broker=BrokerSettings(balances={"USD": Decimal(100)}, slippage_rate=Decimal(0)),
    )
    open_store(settings).close()
    order = {"client_order_id": "1", "symbol": "BTC-USD", "side": "buy", "type": "market", "quantity": "2"}
    first, second = (LivePorts(store=MemoryStore(), services=open_services(settings)) for _ in range(2))
    outbound = first.for_request().outbound
    placed = outbound.effect("broker", "place", **order, price=None, reduces=False, at=AT)
    assert (placed["average_price"], placed["fee"]) == ("11", "0.02200000")
    first.close()
    assert second.for_request().outbound.read("broker", "order", order_id="paper-1") == placed
    second.close()


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(market=MarketSettings(kind="file", files={"BTC-USD": tmp_path / "none.csv"}))
    with pytest.raises(CandleFileError, match=r"none\.csv can't be read"):
        open_services(settings)

from contextlib import closing
from decimal import Decimal
from pathlib import Path

from shared.broker.opening import broker_in_memory, open_broker
from shared.settings import BrokerSettings, Settings, StoreSettings
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

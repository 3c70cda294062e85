"""How an entry point comes to its services: made from the settings, by their names as ports."""

from shared.broker.opening import open_broker
from shared.broker.service import BrokerService
from shared.market.opening import open_market
from shared.market.service import MarketService
from shared.market_prices import MarketPrices
from shared.settings import Settings


def open_services(settings: Settings) -> dict[str, object]:
    """For LivePorts, which closes them. They hold nothing open: a process may still fork.

    The broker trades at the market's prices. Raises SettingsError and CandleFileError.
    """
    market = open_market(settings)
    broker = open_broker(settings, MarketPrices(market))
    return {"market": MarketService(market), "broker": BrokerService(broker)}

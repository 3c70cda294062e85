"""How an entry point comes to its services: made from the settings, by their names as ports."""

from shared.backtest.processes import Processes, Run
from shared.backtest.service import BacktestService
from shared.broker.opening import open_broker
from shared.broker.service import BrokerService
from shared.market.opening import open_market
from shared.market.service import MarketService
from shared.market_prices import MarketPrices
from shared.settings import Settings


def open_services(
    settings: Settings, *, backtest: Run | None = None, knows_all_rules: bool = True
) -> dict[str, object]:
    """For LivePorts, which closes them. They hold nothing open: a process may still fork.

    The broker trades at the market's prices. `backtest` is the bot that runs backtests, as BacktestService takes it;
    without it there are none. Raises SettingsError and CandleFileError.
    """
    market = open_market(settings)
    broker = open_broker(settings, MarketPrices(market))
    services: dict[str, object] = {"market": MarketService(market), "broker": BrokerService(broker)}
    if backtest is not None:
        processes = Processes(settings.backtest)
        services["backtest"] = BacktestService(settings, market, processes, backtest, knows_all_rules=knows_all_rules)
    return services

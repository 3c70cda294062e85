"""How an entry point comes to its services: made from the settings, by their names as ports."""

from typing import NamedTuple

from shared.backtest.processes import Processes, Run
from shared.backtest.service import BacktestService
from shared.bot.account import account_of
from shared.bot.broker import BotBroker
from shared.bot.opening import open_bot_store, open_trading
from shared.bot.service import BotService
from shared.bot.store.base import BotStore
from shared.broker.service import BrokerService
from shared.market.base import Market
from shared.market.service import MarketService
from shared.settings import Settings


class Parts(NamedTuple):
    """What the services stand on, and a bot that runs in this process too."""

    market: Market
    broker: BotBroker
    bots: BotStore


def open_parts(settings: Settings) -> Parts:
    """They hold nothing open: a process may still fork. The broker trades at the market's prices.

    Raises SettingsError and CandleFileError.
    """
    market, broker = open_trading(settings)
    return Parts(market, broker, open_bot_store(settings.store))


def services_of(
    parts: Parts, settings: Settings, *, backtest: Run | None = None, knows_all_rules: bool = True
) -> dict[str, object]:
    """For LivePorts, which closes them. `backtest` is the bot that runs backtests, as BacktestService takes it; without
    it there are none."""
    services: dict[str, object] = {
        "market": MarketService(parts.market),
        "broker": BrokerService(parts.broker),
        "bot": BotService(parts.bots, settings.bot, account=account_of(parts.market, parts.broker)),
    }
    if backtest is not None:
        services["backtest"] = BacktestService(
            settings, parts.market, Processes(settings.backtest), backtest, knows_all_rules=knows_all_rules
        )
    return services


def open_services(
    settings: Settings, *, backtest: Run | None = None, knows_all_rules: bool = True
) -> dict[str, object]:
    """As `services_of`, on parts of their own. Raises SettingsError and CandleFileError."""
    return services_of(open_parts(settings), settings, backtest=backtest, knows_all_rules=knows_all_rules)

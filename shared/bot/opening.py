"""How an entry point comes to what a bot of its own stands on: made from the settings."""

from shared.bot.broker import BotBroker
from shared.bot.store.sqlite import SQLiteBotStore
from shared.broker.opening import open_broker
from shared.exchange_client import ExchangeClient
from shared.market.base import Market
from shared.market.opening import open_market
from shared.market_prices import MarketPrices
from shared.settings import Settings, StoreSettings


def open_bot_store(settings: StoreSettings) -> SQLiteBotStore:
    """In the store's own file, which it doesn't hold open before its first use: a process may still fork."""
    return SQLiteBotStore(
        settings.path,
        busy_timeout_seconds=settings.busy_timeout_seconds,
        max_waiting_writes=settings.max_waiting_writes,
    )


def open_trading(settings: Settings) -> tuple[Market, BotBroker]:
    """The market, and the broker at its prices. Raises SettingsError and CandleFileError."""
    client = ExchangeClient(settings.exchange) if settings.broker.kind == "exchange" else None
    market = open_market(settings, client)
    return market, open_broker(settings, MarketPrices(market), client)

"""How an entry point comes to what a bot of its own stands on: made from the settings."""

from contextlib import closing

from shared.bot.broker import BotBroker
from shared.bot.control import OWNED_BY_REPLAY
from shared.bot.store.sqlite import SQLiteBotStore
from shared.broker.opening import open_broker
from shared.errors import SettingsError
from shared.exchange_client import ExchangeClient
from shared.market.base import Market
from shared.market.opening import open_market
from shared.market_prices import MarketPrices
from shared.settings import Settings, StoreSettings
from shared.store.opening import names_state_file


def open_bot_store(settings: StoreSettings) -> SQLiteBotStore:
    """In the store's own file, which it doesn't hold open before its first use: a process may still fork.

    Raises SettingsError for a file that can't be used, and for one that a replay keeps: its bot, account and window are
    of the past.
    """
    store = SQLiteBotStore(
        settings.path,
        busy_timeout_seconds=settings.busy_timeout_seconds,
        max_waiting_writes=settings.max_waiting_writes,
    )
    if settings.path.exists():
        with names_state_file(settings.path, "store.path"), closing(store):
            config = store.read().config
        if config is not None and OWNED_BY_REPLAY in config:
            raise SettingsError(
                f"the state file {settings.path.absolute()} is a replay's (bot replay --state); a server and a bot "
                "need a file of their own (store.path)"
            )
    return store


def open_trading(settings: Settings) -> tuple[Market, BotBroker]:
    """The market, and the broker at its prices. Raises SettingsError and CandleFileError."""
    client = ExchangeClient(settings.exchange) if settings.broker.kind == "exchange" else None
    market = open_market(settings, client)
    return market, open_broker(settings, MarketPrices(market), client)

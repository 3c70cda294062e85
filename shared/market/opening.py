"""How an entry point comes to its market: made from the settings."""

import logging

from shared.errors import InvalidField, SettingsError
from shared.exchange_client import ExchangeClient
from shared.market.base import Market
from shared.market.exchange import ExchangeMarket
from shared.market.recorded import RecordedMarket
from shared.market.synthetic import SyntheticMarket
from shared.settings import Settings

logger = logging.getLogger(__name__)


def open_market(settings: Settings, client: ExchangeClient | None = None) -> Market:
    """The market that the settings say, and holds nothing open: a process may still fork. Files are read now.

    `client` is that of the exchange, where the broker has it already; one process needs one. Raises SettingsError and
    CandleFileError.
    """
    market = _made(settings, client)
    logger.info("prices come from: %s", market.source)
    return market


def _made(settings: Settings, client: ExchangeClient | None) -> Market:
    chosen = settings.market
    if chosen.kind == "synthetic":
        return SyntheticMarket(chosen.symbols, seed=chosen.seed)
    if chosen.kind == "exchange":
        return ExchangeMarket(ExchangeClient(settings.exchange) if client is None else client)
    if not chosen.files:
        rule = 'a table of symbols and files, such as { "BTC-USD" = "candles.csv" }, which market.kind "file" needs'
        raise SettingsError(str(InvalidField("market.files", chosen.files, rule)))
    return RecordedMarket.of_files(chosen.files, timeframe=chosen.timeframe)

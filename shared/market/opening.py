"""How an entry point comes to its market: made from the settings."""

import logging

from shared.errors import InvalidField, SettingsError
from shared.market.base import Market
from shared.market.recorded import RecordedMarket
from shared.market.synthetic import SyntheticMarket
from shared.settings import Settings

logger = logging.getLogger(__name__)


def open_market(settings: Settings) -> Market:
    """The market that the settings say, and holds nothing open: a process may still fork. Files are read now.

    Raises SettingsError and CandleFileError.
    """
    market = _made(settings)
    logger.info("prices come from: %s", market.source)
    return market


def _made(settings: Settings) -> Market:
    chosen = settings.market
    if chosen.kind == "synthetic":
        return SyntheticMarket(chosen.symbols, seed=chosen.seed)
    if not chosen.files:
        rule = 'a table of symbols and files, such as { "BTC-USD" = "candles.csv" }, which market.kind "file" needs'
        raise SettingsError(str(InvalidField("market.files", chosen.files, rule)))
    return RecordedMarket.of_files(chosen.files, timeframe=chosen.timeframe)

"""How an entry point comes to its services: made from the settings, by their names as ports."""

from shared.market.opening import open_market
from shared.market.service import MarketService
from shared.settings import Settings


def open_services(settings: Settings) -> dict[str, object]:
    """For LivePorts, which closes them. They hold nothing open: a process may still fork.

    Raises SettingsError and CandleFileError.
    """
    return {"market": MarketService(open_market(settings))}

"""Where a bot trades: what it remembers, such as its positions, is true there alone."""

from shared.bot.broker import BotBroker
from shared.market.base import Market


def account_of(market: Market, broker: BotBroker) -> str:
    """Whose money, at whose prices, in words that are the same in every process with the same settings. Of an exchange
    it names no keys: who has several accounts there needs a store for each."""
    return f"{broker.money} at the prices of {market.source}"

"""The bot of worlds in which nobody runs it."""

from shared.bot.service import BotService
from shared.bot.store.memory import MemoryBotStore
from shared.settings import BotSettings


def bot_service() -> BotService:
    """It was never started."""
    return BotService(MemoryBotStore(), BotSettings(), account="paper money at made-up prices")

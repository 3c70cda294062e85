"""The port that tells people what the bot did. A message that can't be delivered is logged, and stops nothing."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from shared.errors import SettingsError
from shared.settings import BotSettings

logger = logging.getLogger(__name__)


class Notifier(Protocol):
    """Both faces deliver the message, or log why they couldn't; they raise nothing."""

    def notify(self, title: str, text: str) -> None: ...

    async def notify_async(self, title: str, text: str) -> None: ...


class LogNotifier:
    """Messages go to the log."""

    def notify(self, title: str, text: str) -> None:
        logger.info("%s: %s", title, text)

    async def notify_async(self, title: str, text: str) -> None:
        self.notify(title, text)


class NoNotifier:
    """For replays and backtests: what happened in the past is no news."""

    def notify(self, title: str, text: str) -> None:
        """Nobody is told."""

    async def notify_async(self, title: str, text: str) -> None:
        """Nobody is told."""


class AppriseNotifier:
    """Messages go to services such as mail or chat, by their Apprise URLs, which hold keys and are never logged.

    Raises SettingsError where Apprise is not installed or doesn't know one of the URLs.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, loaded where it is used
        except ImportError as exc:
            raise SettingsError("notifications need Apprise: pip install 'trading-window[notify]'") from exc
        self._apprise = apprise.Apprise()
        for place, url in enumerate(urls, start=1):
            if not self._apprise.add(url):
                raise SettingsError(f"bot.notify_urls: number {place} of {len(urls)} is not a URL that Apprise knows")

    def notify(self, title: str, text: str) -> None:
        try:
            if not self._apprise.notify(title=title, body=text):
                logger.warning("a notification was not delivered: %s", title)
        except Exception:
            logger.exception("a notification was not delivered: %s", title)

    async def notify_async(self, title: str, text: str) -> None:
        await asyncio.to_thread(self.notify, title, text)


def open_notifier(settings: BotSettings) -> Notifier:
    """The log where the settings name no URLs. Raises as AppriseNotifier."""
    urls = settings.notify_urls
    return LogNotifier() if urls is None else AppriseNotifier(urls.get_secret_value().split())

"""The port that tells people what the bot did. A message that can't be delivered is logged, and stops nothing."""

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from shared.errors import SettingsError
from shared.settings import BotSettings

logger = logging.getLogger(__name__)

MAX_WAITING = 100
"""How many messages may wait behind one that takes long; what comes on top of them is dropped, and logged."""


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

    One goes out after the other, in a thread. Each is waited for, but not for long, and not while one before it is
    late: the caller has stops to look at. Raises SettingsError where Apprise is not installed or doesn't know one of
    the URLs.
    """

    def __init__(self, urls: Sequence[str], *, wait_seconds: float = 10.0) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, loaded where it is used
        except ImportError as exc:
            raise SettingsError("notifications need Apprise: pip install 'trading-window[notify]'") from exc
        self._apprise = apprise.Apprise()
        for place, url in enumerate(urls, start=1):
            if not self._apprise.add(url):
                raise SettingsError(f"bot.notify_urls: number {place} of {len(urls)} is not a URL that Apprise knows")

        self._wait_seconds = wait_seconds
        self._waiting: queue.Queue[tuple[str, str, Future[None]]] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._sender: threading.Thread | None = None
        self._late: Future[None] | None = None

    def notify(self, title: str, text: str) -> None:
        sent = self._handed_over(title, text)
        if sent is not None and wait([sent], self._wait_seconds).not_done:
            self._not_waited_for(sent, title)

    async def notify_async(self, title: str, text: str) -> None:
        sent = self._handed_over(title, text)
        if sent is not None:
            _, late = await asyncio.wait([asyncio.wrap_future(sent)], timeout=self._wait_seconds)
            if late:
                self._not_waited_for(sent, title)

    def _handed_over(self, title: str, text: str) -> "Future[None] | None":
        """None where it isn't to be waited for."""
        sent: Future[None] = Future()
        sent.set_running_or_notify_cancel()
        with self._lock:
            if self._sender is None:
                # It ends with the process: a message that hangs must not keep that from ending.
                self._sender = threading.Thread(target=self._send_all, name="notifier", daemon=True)
                self._sender.start()
        is_late = self._late is not None and not self._late.done()
        try:
            self._waiting.put_nowait((title, text, sent))
        except queue.Full:
            logger.warning("a notification was dropped, as %d wait: %s", MAX_WAITING, title)
            return None
        return None if is_late else sent

    def _not_waited_for(self, sent: Future[None], title: str) -> None:
        self._late = sent
        seconds = self._wait_seconds
        logger.warning("a notification takes longer than %g seconds, and isn't waited for: %s", seconds, title)

    def _send_all(self) -> None:
        while True:
            title, text, sent = self._waiting.get()
            self._send(title, text)
            sent.set_result(None)

    def _send(self, title: str, text: str) -> None:
        try:
            if not self._apprise.notify(title=title, body=text):
                logger.warning("a notification was not delivered: %s", title)
        except Exception:
            logger.exception("a notification was not delivered: %s", title)


def open_notifier(settings: BotSettings) -> Notifier:
    """The log where the settings name no URLs. Raises as AppriseNotifier."""
    urls = settings.notify_urls
    return LogNotifier() if urls is None else AppriseNotifier(urls.get_secret_value().split())

import asyncio
import http.server
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from shared.bot.notifier import MAX_WAITING, AppriseNotifier, LogNotifier, NoNotifier, open_notifier
from shared.errors import SettingsError
from shared.settings import BotSettings

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise, on Python 3.11


class Listener(http.server.BaseHTTPRequestHandler):
    got: list[dict[str, Any]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(json.loads(body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Not on the tests' output."""


@pytest.fixture
def listener() -> Iterator[tuple[type[Listener], str]]:
    handler = type("OwnListener", (Listener,), {"got": [], "status": 200})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield handler, f"json://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_messages_go_where_the_urls_say(listener: tuple[type[Listener], str]) -> None:
    handler, url = listener
    notifier = open_notifier(BotSettings(notify_urls=SecretStr(f"{url} {url}/second")))
    await notifier.notify_async("Trading bot", "entry: buy 50 BTC-USD")
    assert [(each["title"], each["message"]) for each in handler.got] == [("Trading bot", "entry: buy 50 BTC-USD")] * 2


def test_what_is_not_delivered_is_logged_and_raises_nothing(
    listener: tuple[type[Listener], str], caplog: pytest.LogCaptureFixture
) -> None:
    handler, url = listener
    handler.status = 500
    AppriseNotifier([url]).notify("Trading bot", "text")
    assert "a notification was not delivered: Trading bot" in caplog.messages


async def test_one_that_hangs_is_not_waited_for(
    listener: tuple[type[Listener], str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop may be due behind it."""
    handler, url = listener
    answers = threading.Event()
    post = handler.do_POST

    def hangs(request: Listener) -> None:
        answers.wait(20)
        post(request)

    monkeypatch.setattr(handler, "do_POST", hangs)
    notifier = AppriseNotifier([url], wait_seconds=0.2)
    begin = time.monotonic()
    await notifier.notify_async("Trading bot", "one")
    notifier.notify("Trading bot", "two")
    await notifier.notify_async("Trading bot", "three")
    assert time.monotonic() - begin < 2
    assert caplog.messages == ["a notification takes longer than 0.2 seconds, and isn't waited for: Trading bot"]
    answers.set()
    await asyncio.to_thread(wait_for, lambda: len(handler.got) == 3)
    assert [each["message"] for each in handler.got] == ["one", "two", "three"]


def test_a_message_that_would_wait_for_too_long_is_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, answers, calls = threading.Event(), threading.Event(), []

    def hangs(*_: Any, **__: Any) -> bool:
        begun.set()
        calls.append(answers.wait(20))
        return True

    monkeypatch.setattr("apprise.Apprise.notify", hangs)
    notifier = AppriseNotifier(["json://127.0.0.1"], wait_seconds=0.01)
    notifier.notify("Trading bot", "text")
    assert begun.wait(10)
    for _ in range(MAX_WAITING + 1):
        notifier.notify("Trading bot", "text")
    assert caplog.messages[-1] == f"a notification was dropped, as {MAX_WAITING} wait: Trading bot"
    answers.set()
    wait_for(lambda: len(calls) == MAX_WAITING + 1)


def test_a_url_that_apprise_does_not_know_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        AppriseNotifier(["json://127.0.0.1", "nothing://key:secret@host"])
    assert str(caught.value) == "bot.notify_urls: number 2 of 2 is not a URL that Apprise knows"


def test_without_apprise_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"pip install 'trading-window\[notify\]'"):
        AppriseNotifier(["json://127.0.0.1"])


async def test_without_urls_messages_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    notifier = open_notifier(BotSettings())
    assert isinstance(notifier, LogNotifier)
    with caplog.at_level(logging.INFO):
        await notifier.notify_async("Trading bot", "one")
        NoNotifier().notify("Trading bot", "two")
        await NoNotifier().notify_async("Trading bot", "three")
    assert caplog.messages == ["Trading bot: one"]

"""What a process does every so often: again and again, told once while it fails, and over when its block is."""

import asyncio
import logging

import pytest

from fastapi_app.periodic import Retried, every
from shared.errors import StoreUnavailable
from tests.fastapi_app.bot.processes import until

logger = logging.getLogger("a look")
AWAY = StoreUnavailable("the disk is gone")


class Looks:
    """A step that fails as it is told."""

    def __init__(self) -> None:
        self.count = 0
        self.fails: Exception | None = None
        self.retried = Retried(self.look, logger, "a look")

    async def look(self) -> None:
        self.count += 1
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def looks() -> Looks:
    return Looks()


async def test_the_first_look_comes_after_an_interval_and_none_behind_the_block(looks: Looks) -> None:
    async with every(0.05, looks.retried, name="looks"):
        await asyncio.sleep(0)
        assert looks.count == 0
        await until(lambda: looks.count >= 3)
    count = looks.count
    await asyncio.sleep(0.15)
    assert looks.count == count


async def test_a_look_under_way_is_cancelled_with_its_block() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with every(0.01, Retried(hang, logger, "a look"), name="looks"):
        await begun.wait()
    assert cancelled.is_set()


@pytest.mark.parametrize(
    ("fails", "text", "has_traceback"),
    [
        (AWAY, "a look: the store can't answer: the disk is gone", False),
        (LookupError("a fault"), "a look: LookupError('a fault')", True),
        (TimeoutError(), "a look: TimeoutError()", True),
    ],
)
async def test_what_fails_is_told_once_until_it_works_again(
    looks: Looks, caplog: pytest.LogCaptureFixture, fails: Exception, text: str, has_traceback: bool
) -> None:
    for failing, told in ((fails, 1), (fails, 1), (None, 1), (fails, 2), (ValueError("another"), 3)):
        looks.fails = failing
        await looks.retried.attempt()
        assert len(caplog.records) == told
    first, again, _ = caplog.records
    assert [first.getMessage(), again.getMessage()] == [text, text]
    assert [first.levelno, bool(first.exc_info)] == [logging.ERROR, has_traceback]

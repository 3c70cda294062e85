import asyncio
import io
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message, Receive

from fastapi_app.bridge.body import (
    AnnouncedTooLargeError,
    BadBodyError,
    BodyFilesFullError,
    ClientLeftError,
    Framing,
    Input,
    discard_body,
    read_body,
)
from shared.errors import BodyTooLarge

LEFT: Message = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def receiving(*messages: Message) -> Receive:
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    return receive


async def read(
    *messages: Message, framing: Framing | None = None, memory_bytes: int = 10, files: threading.Semaphore | None = None
) -> Any:
    return await read_body(
        receiving(*messages),
        framing or {},
        memory_bytes=memory_bytes,
        max_bytes=20,
        files=files or threading.Semaphore(1),
    )


@pytest.mark.parametrize(
    ("messages", "whole"),
    [
        ([part(b"", more=False)], b""),
        ([part(b"0123456789", more=False)], b"0123456789"),
        ([{"type": "http.request"}], b""),
        ([part(b"01234"), part(b""), part(b"56789", more=False)], b"0123456789"),
        ([part(b"0" * 11, more=False)], b"0" * 11),
        ([part(b"0" * 10), part(b"1" * 10), part(b"", more=False)], b"0" * 10 + b"1" * 10),
    ],
)
async def test_a_body_is_whole_and_rewound(messages: list[Message], whole: bytes) -> None:
    with await read(*messages) as body:
        assert body.read() == whole


async def test_only_a_large_one_goes_to_a_file() -> None:
    with await read(part(b"0" * 5), part(b"1" * 5, more=False)) as small:
        assert small._rolled is False
    with await read(part(b"0" * 10), part(b"1", more=False)) as large:
        assert large._rolled is True


async def test_no_memory_at_all_means_a_file() -> None:
    with await read(part(b"01", more=False), framing={b"content-length": b"2"}, memory_bytes=0) as body:
        assert isinstance(body, tempfile.SpooledTemporaryFile)
        assert body._rolled is True  # type: ignore[attr-defined]


async def test_a_file_counts_until_it_is_closed() -> None:
    files = threading.Semaphore(1)
    large = [part(b"0" * 10), part(b"1"), part(b"2", more=False)]
    first = await read(*large, files=files)
    for _ in range(2):
        with pytest.raises(BodyFilesFullError):
            await read(*large, files=files)
    with await read(part(b"0" * 5), part(b"1" * 5, more=False), files=files) as small:
        assert small.read() == b"0" * 5 + b"1" * 5
    first.close()
    first.close()
    (await read(*large, files=files)).close()
    with pytest.raises(ClientLeftError):
        await read(*large[:-1], LEFT, files=files)
    (await read(*large, files=files)).close()
    assert files._value == 1


@pytest.mark.parametrize(
    "messages",
    [[part(b"0" * 21, more=False)], [part(b"0" * 15), part(b"1" * 6)]],
)
async def test_one_over_the_limit_is_refused_as_soon_as_it_is(messages: list[Message]) -> None:
    with pytest.raises(BodyTooLarge) as caught:
        await read(*messages)
    assert caught.value.limit_bytes == 20


async def test_one_announced_over_the_limit_is_not_read() -> None:
    with pytest.raises(AnnouncedTooLargeError) as caught:
        await read(framing={b"content-length": b"21"})
    assert caught.value.limit_bytes == 20


@pytest.mark.parametrize("size", [0, 3, 5, 12])
async def test_one_of_another_size_than_announced_is_bad(size: int) -> None:
    """uvicorn's httptools hands over an empty one where an upgrade is offered."""
    for messages in ([part(b"0" * size, more=False)], [part(b"0" * size), part(b"", more=False)]):
        with pytest.raises(BadBodyError, match=f"4 bytes, and {size} have come"):
            await read(*messages, framing={b"content-length": b"4"})
        (await read(*messages, framing={b"content-length": b"%d" % size})).close()


async def test_a_chunked_one_that_is_empty_beside_an_upgrade_may_be_lost() -> None:
    framing = {b"transfer-encoding": b"chunked", b"upgrade": b"h2c"}
    for messages in ([part(b"", more=False)], [part(b""), part(b"", more=False)]):
        with pytest.raises(BadBodyError, match="Upgrade"):
            await read(*messages, framing=framing)
        for name, value in framing.items():
            (await read(*messages, framing={name: value})).close()
    (await read(part(b"0", more=False), framing=framing)).close()


@pytest.mark.parametrize(
    "framing",
    [
        {b"content-length": b"1", b"transfer-encoding": b"chunked"},
        {b"content-length": b"+1"},
        {b"content-length": b"1_0"},
        {b"content-length": b""},
    ],
)
async def test_one_without_one_length_is_not_read(framing: Framing) -> None:
    with pytest.raises(BadBodyError, match="no one length"):
        await read(framing=framing)


@pytest.mark.parametrize("messages", [[LEFT], [part(b"01"), LEFT], [part(b"0" * 15), LEFT]])
async def test_one_that_was_cut_never_looks_whole(messages: list[Message]) -> None:
    with pytest.raises(ClientLeftError):
        await read(*messages)


async def test_discarding_ends_with_the_body_the_bound_and_the_client() -> None:
    for messages in ([part(b"01", more=False)], [part(b"0" * 5), part(b"1" * 5)], [LEFT]):
        await discard_body(receiving(*messages), max_bytes=10, timeout_seconds=10)


async def test_discarding_ends_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    await discard_body(never, max_bytes=10, timeout_seconds=0.01)
    assert not caplog.records


def _check() -> None:
    pass


@pytest.mark.parametrize(
    ("do", "result"),
    [
        (lambda body: body.read(), b"one\ntwo\nthree"),
        (lambda body: body.read(None), b"one\ntwo\nthree"),
        (lambda body: body.read(2), b"on"),
        (lambda body: body.readline(2), b"on"),
        (lambda body: body.readline(None), b"one\n"),
        (lambda body: body.readlines(), [b"one\n", b"two\n", b"three"]),
        (lambda body: body.readlines(2), [b"one\n", b"two\n", b"three"]),
        (list, [b"one\n", b"two\n", b"three"]),
        (lambda body: io.BufferedReader(body).read(5), b"one\nt"),
        (lambda body: io.TextIOWrapper(io.BufferedReader(body)).read(), "one\ntwo\nthree"),
    ],
)
def test_input_reads_as_a_file_does(do: Callable[[Input], object], result: object) -> None:
    assert do(Input(io.BytesIO(b"one\ntwo\nthree"), _check)) == result


@pytest.mark.parametrize("name", ["read", "readline", "readlines", "__next__"])
def test_input_raises_once_the_client_left(name: str) -> None:
    def check() -> None:
        raise ClientLeftError

    with pytest.raises(ClientLeftError):
        getattr(Input(io.BytesIO(b"body"), check), name)()

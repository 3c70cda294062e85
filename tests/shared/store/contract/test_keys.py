"""An idempotency key: the first answer is kept with its entry, and given again to an equal request."""

import asyncio
import threading

import pytest

from shared.errors import KeyReused, Refused
from shared.store.base import Applied, Store
from shared.window import Entry, Outcome
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import ALL, NEVER, Face, expect_untouched, ids_of
from tests.shared.store.helpers import (
    CONFIG,
    DEADLINE_SECONDS,
    INSTANT,
    in_thread,
    key,
    trade,
    trade_within_limit,
    with_outcome,
)


async def test_an_equal_request_gets_the_first_answer_again_and_writes_nothing(face: Face) -> None:
    await face.create()
    first = await face.apply(trade("first"), key=key())
    await face.apply(trade("between"))
    window = await face.snapshot()
    again = await face.apply(NEVER, key=key())
    assert first.answer == again.answer == {"trades_today": 1}
    assert not first.replayed
    assert again == Applied(answer={"trades_today": 1}, before=window, after=window, entries=(), replayed=True)
    assert ids_of(await face.ledger()) == ["between", "first"]
    assert await face.snapshot() == window


async def test_a_key_with_another_body_is_refused_and_writes_nothing(face: Face) -> None:
    await face.create()
    await face.apply(trade("first"), key=key())
    with pytest.raises(KeyReused) as raised:
        await face.apply(trade("second"), key=key(body="another"))
    assert raised.value.key == "key-1"
    assert ids_of(await face.ledger()) == ["first"]
    assert (await face.snapshot()).state["trades_today"] == 1
    assert (await face.apply(trade("third"), key=key())).replayed


async def test_a_key_counts_per_window_and_endpoint_and_exactly(face: Face) -> None:
    for window_id in ("w", "v"):
        await face.create(window_id)
    writes = [
        ("w", key()),
        ("v", key()),
        ("w", key(endpoint="POST /permits")),
        ("w", key("KEY-1")),
        ("w", key("key-1 ")),
        ("w", key("key-2")),
    ]
    for number, (window_id, own) in enumerate(writes):
        assert not (await face.apply(trade(str(number)), window_id=window_id, key=own)).replayed
    for window_id, own in writes:
        assert (await face.apply(trade("again"), window_id=window_id, key=own)).replayed
    assert ids_of(await face.ledger()) == ["5", "4", "3", "2", "0"]
    assert ids_of(await face.ledger(window_id="v")) == ["1"]


async def test_a_refusal_is_not_kept(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=0))
    with pytest.raises(Refused):
        await face.apply(trade_within_limit("refused"), key=key())
    await face.apply(lambda _, state, __: Outcome(CONFIG, state, (), None))
    applied = await face.apply(trade_within_limit("granted"), key=key(body="another"))
    assert not applied.replayed
    assert ids_of(await face.ledger()) == ["granted"]


async def test_a_key_needs_an_entry_to_be_kept_with(face: Face) -> None:
    await face.create()
    with pytest.raises(ValueError, match="needs a ledger entry"):
        await face.apply(with_outcome(answer=1, trades_today=4), key=key())
    await expect_untouched(face)


async def test_a_key_is_kept_once_with_several_entries(face: Face) -> None:
    entries = [Entry(id=entry_id, kind="trade", data={}) for entry_id in ("a", "b", "c")]
    await face.create()
    await face.apply(with_outcome(*entries, answer="three"), key=key())
    again = await face.apply(NEVER, key=key())
    assert (again.answer, again.replayed) == ("three", True)
    assert ids_of(await face.ledger()) == ["c", "b", "a"]


async def test_of_equal_requests_at_the_same_time_one_is_carried_out(store: Store) -> None:
    await store.create_async("w", CONFIG)
    before = threading.Barrier(9)

    def blocking(entry_id: str) -> Applied[dict[str, int]]:
        before.wait(DEADLINE_SECONDS)
        return store.apply("w", trade(entry_id), instant=INSTANT, key=key())

    threads = [in_thread(blocking, f"thread-{number}") for number in range(8)]
    before.wait(DEADLINE_SECONDS)
    async with asyncio.timeout(DEADLINE_SECONDS):
        tasks = [store.apply_async("w", trade(f"task-{number}"), instant=INSTANT, key=key()) for number in range(20)]
        answers = await asyncio.gather(*tasks)
    answers += [thread.result(DEADLINE_SECONDS) for thread in threads]
    assert [answer.answer for answer in answers] == [{"trades_today": 1}] * 28
    assert [answer.replayed for answer in answers].count(False) == 1
    assert store.ledger("w", ALL).sequence == 1


async def test_of_unequal_requests_with_one_key_at_the_same_time_one_is_carried_out(store: Store) -> None:
    await store.create_async("w", CONFIG)
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *[store.apply_async("w", trade(body), instant=INSTANT, key=key(body=body)) for body in "abcdefgh"],
            return_exceptions=True,
        )
    assert [type(answer) for answer in answers].count(KeyReused) == 7
    assert len(store.ledger("w", ALL).entries) == 1

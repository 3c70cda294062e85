"""Neighbours in a transaction."""

import asyncio
from typing import Any

import pytest

from shared.errors import StoreUnavailable
from shared.store.sqlite import SQLiteStore
from shared.window import Entry
from shared.window_config import WindowConfig
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, INSTANT, in_thread, key, raising, trade, with_outcome
from tests.shared.store.sqlite.files import ALL, OpenStore, asked, finished, hand_over, held_writer, ids_of


async def test_a_job_that_sqlite_refuses_does_not_fail_its_neighbours(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a", "b", "\ud800", "c")
        refused = asyncio.create_task(store.apply_async("w", raising(LookupError("mine")), instant=INSTANT))
        [later] = await hand_over(store, "d")
    a, b, surrogate, c, error, d = await finished([*tasks, refused, later])
    assert type(surrogate) in {UnicodeEncodeError, StoreUnavailable}
    assert type(error) is LookupError
    assert [answer.answer["trades_today"] for answer in (a, b, c, d)] == [1, 2, 3, 4]
    assert [answer.entries[0].sequence for answer in (a, b, c, d)] == [1, 2, 3, 4]
    assert ids_of(store) == ["d", "c", "b", "a"]
    assert store.snapshot("w").state["trades_today"] == 4


async def test_what_would_end_a_thread_fails_its_own_caller_only(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a")
        tasks.append(asyncio.create_task(store.apply_async("w", raising(asyncio.CancelledError()), instant=INSTANT)))
        tasks += await hand_over(store, "b")
    a, cancelled, b = await finished(tasks)
    assert type(cancelled) is asyncio.CancelledError
    assert (a.after.sequence, b.after.sequence) == (1, 2)
    assert ids_of(store) == ["b", "a"]


async def test_a_constraint_that_one_job_breaks_does_not_fail_its_neighbours(store: SQLiteStore) -> None:
    nameless: Any = Entry(id=None, kind="trade", data={})  # type: ignore[arg-type]  # NOT NULL in the file
    with held_writer(store):
        tasks = await hand_over(store, "a")
        tasks.append(asyncio.create_task(store.apply_async("w", with_outcome(nameless, answer=None), instant=INSTANT)))
        tasks += await hand_over(store, "b")
    a, broken, b = await finished(tasks)
    assert type(broken) is StoreUnavailable
    assert (a.after.sequence, b.after.sequence) == (1, 2)
    assert ids_of(store) == ["b", "a"]


async def test_equal_keys_in_one_transaction_write_once(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = [
            asyncio.create_task(store.apply_async("w", trade(str(number)), instant=INSTANT, key=key(body=body)))
            for number, body in enumerate(["same", "same", "other", "same"])
        ]
        await asyncio.sleep(0)
    first, second, other, third = await finished(tasks)
    assert type(other).__name__ == "KeyReused"
    assert [answer.replayed for answer in (first, second, third)] == [False, True, True]
    assert [answer.answer for answer in (first, second, third)] == [{"trades_today": 1}] * 3
    assert ids_of(store) == ["0"]


async def test_a_window_can_be_used_in_the_transaction_that_makes_it(store: SQLiteStore) -> None:
    with held_writer(store):
        creating = asyncio.create_task(store.create_async("v", CONFIG))
        applying = asyncio.create_task(store.apply_async("v", trade("1"), instant=INSTANT))
        again = asyncio.create_task(store.create_async("v", WindowConfig()))
        await asyncio.sleep(0)
    created, applied, known = await finished([creating, applying, again])
    assert (created.sequence, applied.after.sequence) == (0, 1)
    assert known == applied.after == store.snapshot("v")


async def test_the_write_of_a_caller_who_is_cancelled_while_it_waits_is_written(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a", "b")
        tasks[0].cancel()
        await asyncio.wait([tasks[0]], timeout=DEADLINE_SECONDS)
        assert tasks[0].cancelled()
    await finished(tasks)
    assert ids_of(store) == ["b", "a"]


async def test_a_reader_sees_nothing_of_a_transaction_that_is_not_committed(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, "a")
        assert store.snapshot("w").sequence == 0
        assert store.ledger("w", ALL).entries == ()
    await finished(tasks)
    assert ids_of(store) == ["a"]


async def test_more_writes_than_may_wait_are_refused(open_store: OpenStore) -> None:
    store = open_store(max_waiting_writes=3)
    store.create("w", CONFIG)
    with held_writer(store):
        tasks = await hand_over(store, *"abcde")
        with pytest.raises(StoreUnavailable, match="3 writes are waiting"):
            store.apply("w", trade("f"), instant=INSTANT)
        assert store.snapshot("w").sequence == 0
    answers = await finished(tasks)
    assert [type(answer) for answer in answers[3:]] == [StoreUnavailable, StoreUnavailable]
    assert ids_of(store) == ["c", "b", "a"]
    store.apply("w", trade("later"), instant=INSTANT)


async def test_close_writes_what_was_handed_over(store: SQLiteStore) -> None:
    with held_writer(store):
        tasks = await hand_over(store, *"abc")
        closed = in_thread(store.close)
    closed.result(DEADLINE_SECONDS)
    assert [answer.after.sequence for answer in await finished(tasks)] == [1, 2, 3]
    assert asked(store.path, "SELECT id FROM ledger ORDER BY sequence") == [("a",), ("b",), ("c",)]
    assert not store.path.with_name("state.db-wal").exists()
    store.apply("w", trade("d"), instant=INSTANT)
    assert ids_of(store) == ["d", "c", "b", "a"]

"""What every store promises: one suite for all backends and both faces. A new backend is one more line in BACKENDS."""

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from shared.errors import KeyReused, Refused, StoreUnavailable, UnknownWindow
from shared.store.base import Applied, IdempotencyKey, LedgerPage, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import AnswerT, Asking, Entry, LedgerEntry, Outcome, Snapshot, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.helpers import (
    CONFIG,
    DAY,
    DEADLINE_SECONDS,
    INSTANT,
    in_thread,
    key,
    permit_of,
    raising,
    reserved,
    trade,
    trade_within_limit,
    with_outcome,
)

BACKENDS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _folder: MemoryStore(),
    "sqlite": lambda folder: SQLiteStore(folder / "state.db"),
}
"""Each opens a store on the state in a folder of the test's own."""
DURABLE = ["sqlite"]

UNTOUCHED: WindowState = {"trade_day": None, "trades_today": 0, "halt": None}
HALTED: WindowState = {"trade_day": None, "trades_today": 0, "halt": {"reason": "fat finger"}}
ALL = LedgerQuery(limit=10_000)

NEVER: Transition[Any] = raising(AssertionError("the transition ran"))

OpenStore = Callable[[], Store]
T = TypeVar("T")


class Face:
    """A store through one of its two faces, so that a test is written once. Gives up at the deadline."""

    def __init__(self, store: Store, *, awaited: bool) -> None:
        self._store = store
        self._awaited = awaited

    async def create(self, window_id: str = "w", config: WindowConfig = CONFIG) -> Snapshot:
        method: Callable[..., Any] = self._store.create_async if self._awaited else self._store.create
        found: Snapshot = await self._call(method, window_id, config)
        return found

    async def snapshot(self, window_id: str = "w") -> Snapshot:
        method: Callable[..., Any] = self._store.snapshot_async if self._awaited else self._store.snapshot
        found: Snapshot = await self._call(method, window_id)
        return found

    async def window_ids(self, **options: Any) -> tuple[str, ...]:
        method: Callable[..., Any] = self._store.window_ids_async if self._awaited else self._store.window_ids
        found: tuple[str, ...] = await self._call(method, **options)
        return found

    async def ledger(self, query: LedgerQuery = ALL, window_id: str = "w") -> LedgerPage:
        method: Callable[..., Any] = self._store.ledger_async if self._awaited else self._store.ledger
        found: LedgerPage = await self._call(method, window_id, query)
        return found

    async def apply(
        self,
        transition: Transition[AnswerT],
        *,
        window_id: str = "w",
        instant: datetime = INSTANT,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        method: Callable[..., Any] = self._store.apply_async if self._awaited else self._store.apply
        applied: Applied[AnswerT] = await self._call(method, window_id, transition, instant=instant, key=key, asks=asks)
        return applied

    async def halt(self) -> None:
        await self.apply(with_outcome(answer=None, halt={"reason": "fat finger"}))

    async def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if self._awaited:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await method(*arguments, **options)
        return in_thread(method, *arguments, **options).result(DEADLINE_SECONDS)


@pytest.fixture(params=list(BACKENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens stores; those of a durable backend stand on the same state."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(BACKENDS[request.param](tmp_path))
        return opened[-1]

    yield open_one
    for store in opened:
        in_thread(store.close).result(DEADLINE_SECONDS)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


@pytest.fixture(params=["blocking", "awaited"])
def face(request: pytest.FixtureRequest, store: Store) -> Face:
    return Face(store, awaited=request.param == "awaited")


def ids_of(page: LedgerPage) -> list[str]:
    return [entry.id for entry in page.entries]


async def expect_untouched(face: Face) -> None:
    assert await face.snapshot() == Snapshot(window_id="w", config=CONFIG, state=UNTOUCHED, version=1, sequence=0)
    assert await face.ledger() == LedgerPage(entries=(), sequence=0)


# Making windows


async def test_a_new_window_has_the_given_config_and_nothing_else(face: Face) -> None:
    expected = Snapshot(window_id="w", config=CONFIG, state=UNTOUCHED, version=1, sequence=0)
    assert await face.create() == expected
    assert await face.snapshot() == expected
    assert await face.ledger() == LedgerPage(entries=(), sequence=0)


async def test_creating_a_known_window_changes_nothing_and_answers_with_what_is_stored(face: Face) -> None:
    await face.create()
    await face.apply(trade())
    stored = await face.create(config=WindowConfig(max_trades_per_day=77))
    state: WindowState = {
        "trade_day": DAY,
        "trades_today": 1,
        "halt": None,
        "tally": {"symbol": {}, "side": {}, "strategy": {}},
        "last_trades": {"*": "2025-03-03T12:30:15.123456Z"},
    }
    assert stored == Snapshot(window_id="w", config=CONFIG, state=state, version=1, sequence=1)
    assert await face.snapshot() == stored


async def test_window_ids_are_told_apart_exactly(face: Face) -> None:
    window_ids = ["w", "W", "w ", " w", "", "å", "a\u030a", "'; DROP TABLE windows; --", "%", "w" * 255]
    for number, window_id in enumerate(window_ids):
        await face.create(window_id, WindowConfig(max_trades_per_day=number))
    found = [(await face.snapshot(window_id)).config.max_trades_per_day for window_id in window_ids]
    assert found == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_one_of_many_who_create_a_window_at_once_wins(store: Store) -> None:
    configs = [WindowConfig(max_trades_per_day=number) for number in range(50)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(*[store.create_async("w", config) for config in configs])
    assert set(map(repr, answers)) == {repr(await store.snapshot_async("w"))}
    assert answers[0].version == 1


async def test_every_method_but_create_raises_for_an_unknown_window(face: Face) -> None:
    await face.create("known")
    for call in (
        lambda: face.snapshot("Known"),
        lambda: face.ledger(window_id="Known"),
        lambda: face.apply(NEVER, window_id="Known"),
        lambda: face.apply(NEVER, window_id="Known", key=key(), asks=Asking()),
    ):
        with pytest.raises(UnknownWindow) as raised:
            await call()
        assert raised.value.window_id == "Known"
    assert (await face.create("Known")).sequence == 0


async def test_the_windows_are_listed_in_order_a_page_at_a_time(face: Face) -> None:
    assert await face.window_ids() == ()
    for window_id in ("b", "\U0001f600", "", "B", "default", "\uff5e", "a", "å", "b ", "ab"):
        await face.create(window_id)
        await face.create(window_id)
    everything = ("", "B", "a", "ab", "b", "b ", "default", "å", "\uff5e", "\U0001f600")
    assert await face.window_ids() == everything
    assert await face.window_ids(limit=4) == everything[:4]
    assert await face.window_ids(limit=-1) == everything
    assert await face.window_ids(after="") == everything[1:]
    assert await face.window_ids(after="b", limit=3) == everything[5:8]
    assert await face.window_ids(after="b", limit=-1) == everything[5:]
    assert await face.window_ids(after="c") == everything[6:]
    assert await face.window_ids(after="\U0001f600") == ()
    assert await face.window_ids(limit=0) == ()


async def test_a_page_of_windows_has_fifty_unless_told_otherwise(face: Face) -> None:
    for number in range(51):
        await face.create(f"w{number:02}")
    assert await face.window_ids() == tuple(f"w{number:02}" for number in range(50))
    assert await face.window_ids(after="w49") == ("w50",)


# Applying transitions


async def test_a_transition_sees_the_window_as_it_is_and_its_outcome_is_stored(face: Face) -> None:
    seen: list[tuple[WindowConfig, WindowState, datetime]] = []

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[str]:
        seen.append((config, state, instant))
        changed: WindowState = {"trade_day": "2025-03-04", "trades_today": 9, "halt": {"reason": "lunch"}}
        entries = (Entry(id="a", kind="order", data={"price": "1.50"}, trade_day=DAY, symbol="X"), EMPTY_ENTRY)
        return Outcome(WindowConfig(max_trades_per_day=1), changed, entries, "answer")

    await face.create()
    applied = await face.apply(transition)

    before = Snapshot(window_id="w", config=CONFIG, state=UNTOUCHED, version=1, sequence=0)
    after = Snapshot(
        window_id="w",
        config=WindowConfig(max_trades_per_day=1),
        state={"trade_day": "2025-03-04", "trades_today": 9, "halt": {"reason": "lunch"}},
        version=2,
        sequence=2,
    )
    written = (
        LedgerEntry(
            sequence=1, id="a", kind="order", instant=INSTANT, data={"price": "1.50"}, trade_day=DAY, symbol="X"
        ),
        LedgerEntry(sequence=2, id="empty", kind="note", instant=INSTANT, data={}, trade_day=None, symbol=None),
    )
    assert seen == [(CONFIG, UNTOUCHED, INSTANT)]
    assert applied == Applied(answer="answer", before=before, after=after, entries=written, replayed=False)
    assert await face.snapshot() == after
    assert await face.ledger() == LedgerPage(entries=(written[1], written[0]), sequence=2)


EMPTY_ENTRY = Entry(id="empty", kind="note", data={})


async def test_a_transition_that_writes_no_entry_still_changes_the_state(face: Face) -> None:
    await face.create()
    applied = await face.apply(with_outcome(answer=None, halt={"reason": "fat finger"}))
    assert applied.entries == ()
    assert await face.snapshot() == Snapshot(window_id="w", config=CONFIG, state=HALTED, version=1, sequence=0)


async def test_the_version_counts_configs_and_nothing_else(face: Face) -> None:
    def limit(trades: int) -> Transition[None]:
        return lambda config, state, _: Outcome(config.changed({"max_trades_per_day": trades}), state, (), None)

    await face.create()
    transitions: list[Transition[Any]] = [limit(5), trade(), limit(6), limit(6), limit(5), trade("2")]
    versions = [(await face.apply(transition)).after.version for transition in transitions]
    assert versions == [1, 1, 2, 2, 3, 3]
    assert (await face.snapshot()).version == 3


@pytest.mark.parametrize(
    "error",
    [
        LookupError("no"),
        UnknownWindow("another"),
        StopIteration(),
        asyncio.CancelledError(),
        SystemExit(3),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
async def test_whatever_a_transition_raises_is_its_callers_and_writes_nothing(face: Face, error: BaseException) -> None:
    await face.create()
    # A coroutine can't raise StopIteration: it becomes a RuntimeError (PEP 479).
    with pytest.raises((type(error), RuntimeError)):
        await face.apply(raising(error), key=key())
    await expect_untouched(face)
    assert (await face.apply(trade(), key=key(body="another"))).after.sequence == 1


async def test_a_refusal_among_many_writes_undoes_only_itself(store: Store) -> None:
    await store.create_async("w", CONFIG)
    writes = [raising(LookupError(str(n))) if n % 3 == 1 else trade(f"trade-{n}") for n in range(90)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *[store.apply_async("w", write, instant=INSTANT) for write in writes], return_exceptions=True
        )
    assert [number for number, answer in enumerate(answers) if type(answer) is LookupError] == list(range(1, 90, 3))
    page = store.ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == list(range(60, 0, -1))
    assert sorted(ids_of(page)) == sorted(f"trade-{n}" for n in range(90) if n % 3 != 1)
    assert store.snapshot("w").state["trades_today"] == 60


NOT_JSON: list[Any] = [
    math.nan,
    -math.inf,
    object(),
    {1, 2},
    b"bytes",
    Decimal("1.5"),
    INSTANT,
    {"deep": [{"down": math.nan}]},
    {(1, 2): 3},
]


@pytest.mark.parametrize("place", ["answer", "data", "state"])
async def test_what_json_cannot_hold_is_refused_before_anything_is_written(face: Face, place: str) -> None:
    await face.create()
    for value in NOT_JSON:
        data = {"value": value if place == "data" else 0}
        answer = {"value": value if place == "answer" else 0}
        changes = {"halt": value} if place == "state" else {}
        write = with_outcome(Entry(id="a", kind="trade", data=data), answer=answer, **changes)
        with pytest.raises((TypeError, ValueError)):
            await face.apply(write, key=key())
        await expect_untouched(face)
    assert not (await face.apply(trade(), key=key(body="another"))).replayed


async def test_an_answer_that_no_key_keeps_may_be_anything(face: Face) -> None:
    answer = object()
    await face.create()
    assert (await face.apply(with_outcome(answer=answer))).answer is answer


AWKWARD_JSON: dict[str, Any] = {
    "": None,
    "text": 'å "quoted" \\ \n\t\0\x7f \u2028 \U0001f600',
    "lone surrogate": "\ud800",
    "numbers": [0, -1, 2**70, 0.1, 1e300, -0.0, True, False],
    "nested": {"empty": {}, "list": [[], [[1]], {"a": None}]},
}


async def test_json_values_come_back_as_they_went_in(face: Face) -> None:
    entry = Entry(id="a", kind="note", data=AWKWARD_JSON)
    await face.create()
    await face.apply(with_outcome(entry, answer=AWKWARD_JSON, halt={"reason": AWKWARD_JSON["text"]}), key=key())
    [found] = (await face.ledger()).entries
    assert json.dumps(found.data) == json.dumps(AWKWARD_JSON)
    assert json.dumps((await face.apply(trade(), key=key())).answer) == json.dumps(AWKWARD_JSON)
    assert (await face.snapshot()).state["halt"] == {"reason": AWKWARD_JSON["text"]}


async def test_instants_keep_every_microsecond_also_before_1970_and_in_another_zone(face: Face) -> None:
    instants = [
        INSTANT,
        INSTANT.replace(microsecond=0),
        INSTANT.replace(year=1815, microsecond=1),
        datetime.fromisoformat("2025-03-03T23:59:59.999999+13:45"),
    ]
    await face.create()
    for number, instant in enumerate(instants):
        await face.apply(trade(f"{number}"), instant=instant)
    found = [entry.instant for entry in (await face.ledger()).entries]
    assert found == instants[::-1]


# The ledger


async def test_entries_are_numbered_in_the_order_of_their_writing(face: Face) -> None:
    def drafts(*ids: str) -> tuple[Entry, ...]:
        return tuple(Entry(id=entry_id, kind="note", data={}) for entry_id in ids)

    await face.create()
    for ids in (["c", "a", "b"], [], ["z"], ["y", "x"]):
        await face.apply(with_outcome(*drafts(*ids), answer=None))
    page = await face.ledger()
    numbered = [(entry.sequence, entry.id) for entry in page.entries]
    assert numbered == [(6, "x"), (5, "y"), (4, "z"), (3, "b"), (2, "a"), (1, "c")]
    assert page.sequence == (await face.snapshot()).sequence == 6


async def test_ledgers_of_different_windows_are_apart(face: Face) -> None:
    for window_id in ("a", "b"):
        await face.create(window_id)
    for window_id, entry_id in (("a", "1"), ("b", "1"), ("b", "2"), ("a", "2"), ("b", "3")):
        await face.apply(trade(window_id + entry_id), window_id=window_id)
    assert ids_of(await face.ledger(window_id="a")) == ["a2", "a1"]
    assert ids_of(await face.ledger(window_id="b")) == ["b3", "b2", "b1"]
    assert (await face.ledger(window_id="a")).sequence == 2


PAGES = [
    (LedgerQuery(), "g f e d c b a"),
    (LedgerQuery(limit=3), "g f e"),
    (LedgerQuery(limit=7), "g f e d c b a"),
    (LedgerQuery(limit=0), ""),
    (LedgerQuery(kind="trade"), "g e c b a"),
    (LedgerQuery(kind="trade", limit=2), "g e"),
    (LedgerQuery(kind="Trade"), ""),
    (LedgerQuery(trade_day="2025-03-03"), "c b a"),
    (LedgerQuery(trade_day="2025-03-04"), "g e d"),
    (LedgerQuery(symbol="BTC"), "g d a"),
    (LedgerQuery(symbol="BTC", limit=1), "g"),
    (LedgerQuery(symbol="btc"), ""),
    (LedgerQuery(symbol="B%"), ""),
    (LedgerQuery(kind="trade", trade_day="2025-03-04", symbol="BTC"), "g"),
    (LedgerQuery(kind="void", trade_day="2025-03-03"), ""),
    (LedgerQuery(through=4), "d c b a"),
    (LedgerQuery(through=4, limit=2), "d c"),
    (LedgerQuery(through=4, kind="trade"), "c b a"),
    (LedgerQuery(through=4, symbol="BTC"), "d a"),
    (LedgerQuery(through=4, trade_day="2025-03-04"), "d"),
    (LedgerQuery(through=0), ""),
    (LedgerQuery(through=7), "g f e d c b a"),
    (LedgerQuery(through=800), "g f e d c b a"),
]


async def test_a_page_holds_what_was_asked_for_newest_first(face: Face) -> None:
    await face.create()
    for entry_id, kind, day, symbol in (
        ("a", "trade", "2025-03-03", "BTC"),
        ("b", "trade", "2025-03-03", "ETH"),
        ("c", "trade", "2025-03-03", None),
        ("d", "void", "2025-03-04", "BTC"),
        ("e", "trade", "2025-03-04", "ETH"),
        ("f", "config", None, None),
        ("g", "trade", "2025-03-04", "BTC"),
    ):
        entry = Entry(id=entry_id, kind=kind, data={}, trade_day=day, symbol=symbol)
        await face.apply(with_outcome(entry, answer=None))
    for query, expected in PAGES:
        page = await face.ledger(query)
        assert (" ".join(ids_of(page)), page.sequence) == (expected, 7), query


async def test_the_steps_of_one_subject_are_found_by_it(face: Face) -> None:
    await face.create()
    for entry_id, kind, subject, symbol in (
        ("a", "permit", "p-1", "BTC"),
        ("b", "permit", "p-2", "BTC"),
        ("c", "trade", "p-1", "BTC"),
        ("d", "trade", None, "BTC"),
        ("e", "permit", "p-1", None),
    ):
        entry = Entry(id=entry_id, kind=kind, data={}, trade_day=DAY, symbol=symbol, subject=subject)
        await face.apply(with_outcome(entry, answer=None))
    for query, expected in (
        (LedgerQuery(subject="p-1"), "e c a"),
        (LedgerQuery(subject="p-1", limit=2), "e c"),
        (LedgerQuery(subject="p-1", through=4), "c a"),
        (LedgerQuery(subject="p-1", kind="permit"), "e a"),
        (LedgerQuery(subject="p-1", symbol="BTC"), "c a"),
        (LedgerQuery(subject="p-1", symbol="BTC", trade_day=DAY, kind="trade"), "c"),
        (LedgerQuery(subject="p-1", trade_day="2025-03-04"), ""),
        (LedgerQuery(subject="P-1"), ""),
        (LedgerQuery(subject="p%"), ""),
        (LedgerQuery(), "e d c b a"),
    ):
        page = await face.ledger(query)
        assert (" ".join(ids_of(page)), page.sequence) == (expected, 5), query
    assert [entry.subject for entry in (await face.ledger()).entries] == ["p-1", None, "p-1", "p-2", "p-1"]


async def test_a_page_and_its_sequence_are_read_together_while_others_write(store: Store) -> None:
    store.create("w", CONFIG)
    done = threading.Event()

    def write() -> None:
        for number in range(150):
            store.apply("w", trade(f"trade-{number}"), instant=INSTANT)
        done.set()

    def read() -> int:
        pages = 0
        while not done.is_set():
            page = store.ledger("w", LedgerQuery(limit=5))
            newest = page.sequence
            expected = list(range(newest, max(newest - 5, 0), -1))
            assert [entry.sequence for entry in page.entries] == expected
            pages += 1
        return pages

    readers = [in_thread(read) for _ in range(3)]
    in_thread(write).result(DEADLINE_SECONDS)
    assert all(reader.result(DEADLINE_SECONDS) for reader in readers)


# Idempotency keys


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


# Halts


async def test_a_halted_window_gives_no_slot(face: Face) -> None:
    await face.create()
    await face.halt()
    with pytest.raises(Refused) as raised:
        await face.apply(trade(), asks=Asking(), key=key())
    [reason] = raised.value.reasons
    assert (reason.code, reason.value, reason.bound) == ("HALTED", "fat finger", None)
    assert "fat finger" in reason.sentence
    assert await face.snapshot() == Snapshot(window_id="w", config=CONFIG, state=HALTED, version=1, sequence=0)


async def test_a_halted_window_names_the_reasons_behind_the_halt_too(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=0))
    await face.halt()
    with pytest.raises(Refused) as raised:
        await face.apply(trade_within_limit("1"), asks=Asking())
    assert [reason.code for reason in raised.value.reasons] == ["HALTED", "DAILY_LIMIT"]


async def test_a_write_that_takes_no_slot_passes_a_halt(face: Face) -> None:
    await face.create()
    await face.halt()
    await face.apply(trade())
    await face.apply(with_outcome(answer=None, halt=None))
    assert (await face.apply(trade("2"), asks=Asking())).after.sequence == 2


async def test_a_kept_answer_is_given_although_the_window_is_halted(face: Face) -> None:
    await face.create()
    await face.apply(trade(), asks=Asking(), key=key())
    await face.halt()
    again = await face.apply(trade(), asks=Asking(), key=key())
    assert (again.answer, again.replayed) == ({"trades_today": 1}, True)
    with pytest.raises(KeyReused):
        await face.apply(trade(), asks=Asking(), key=key(body="another"))


async def test_a_halt_of_a_symbol_refuses_those_who_ask_for_it_alone(face: Face) -> None:
    await face.create()
    await face.apply(with_outcome(answer=None, symbol_halts={"BTC-USD": {"reason": "fork"}}))
    with pytest.raises(Refused) as raised:
        await face.apply(trade(), asks=Asking("BTC-USD"), key=key())
    [reason] = raised.value.reasons
    assert (reason.code, reason.sentence, reason.bound) == ("HALTED", "halted: fork", "BTC-USD")
    assert (await face.ledger()).sequence == 0
    await face.apply(trade("1"), asks=Asking("ETH-USD"))
    await face.apply(trade("2"), asks=Asking())
    await face.apply(trade("3", symbol="BTC-USD"))
    assert ids_of(await face.ledger()) == ["3", "2", "1"]


async def test_both_halts_and_the_reasons_behind_them_are_named(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=0))
    await face.halt()
    await face.apply(with_outcome(answer=None, symbol_halts={"BTC-USD": {"reason": "fork"}}))
    with pytest.raises(Refused) as raised:
        await face.apply(trade_within_limit("1"), asks=Asking("BTC-USD"))
    assert [reason.sentence for reason in raised.value.reasons] == [
        "halted: fat finger",
        "halted: fork",
        "no slot is left",
    ]


async def test_a_halt_with_an_end_refuses_until_then(face: Face) -> None:
    await face.create()
    halt = {"reason": "lunch", "until": "2025-03-03T12:30:15.123456Z"}
    await face.apply(
        with_outcome(answer=None, halt=halt, symbol_halts={"BTC-USD": halt}), instant=INSTANT - timedelta(hours=1)
    )
    with pytest.raises(Refused) as raised:
        await face.apply(trade(), asks=Asking("BTC-USD"), instant=INSTANT - MICROSECOND)
    assert [reason.clears_at for reason in raised.value.reasons] == [INSTANT, INSTANT]

    applied = await face.apply(trade(), asks=Asking("BTC-USD"), instant=INSTANT)
    assert [(entry.sequence, entry.id, entry.kind, entry.symbol) for entry in applied.entries] == [
        (1, "halt-*-2025-03-03T12:30:15.123456Z", "halt", None),
        (2, "halt-BTC-USD-2025-03-03T12:30:15.123456Z", "halt", "BTC-USD"),
        (3, "trade-1", "trade", None),
    ]
    assert applied.entries[0].data == {**halt, "symbol": "*", "status": "ended"}
    left = await face.snapshot()
    assert (left.state["halt"], "symbol_halts" in left.state) == (None, False)


# What time does, and what each write leaves


AN_HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


async def test_what_time_did_is_written_with_the_next_write_in_front_of_its_own(face: Face) -> None:
    await face.create()
    stored = (await face.apply(reserved(permit_of("p-1"), permit_of("p-2", status="sent")), instant=BEFORE)).after
    late = INSTANT + AN_HOUR
    applied = await face.apply(trade("t", symbol="BTC-USD"), instant=late)

    expired = {**permit_of("p-1"), "status": "expired", "deadline": None, "at": "2025-03-03T12:30:15.123456Z"}
    in_doubt = {**permit_of("p-2"), "status": "in_doubt", "deadline": None}
    written = (
        LedgerEntry(
            sequence=1,
            id="p-1-expired",
            kind="permit",
            instant=late,
            data=expired,
            trade_day=DAY,
            symbol="BTC-USD",
            subject="p-1",
        ),
        LedgerEntry(
            sequence=2,
            id="p-2-in-doubt",
            kind="permit",
            instant=late,
            data={**in_doubt, "at": "2025-03-03T12:30:15.123456Z"},
            trade_day=DAY,
            symbol="BTC-USD",
            subject="p-2",
        ),
        LedgerEntry(sequence=3, id="t", kind="trade", instant=late, data={"id": "t"}, trade_day=DAY, symbol="BTC-USD"),
    )
    after = Snapshot(
        window_id="w",
        config=CONFIG,
        state={
            "trade_day": DAY,
            "trades_today": 2,
            "halt": None,
            "permits": {"p-2": {**permit_of("p-2"), "status": "in_doubt", "deadline": None}},
            "tally": {"symbol": {}, "side": {}, "strategy": {}},
            "last_trades": {"*": "2025-03-03T13:30:15.123456Z", "BTC-USD": "2025-03-03T13:30:15.123456Z"},
        },
        version=1,
        sequence=3,
    )
    assert applied == Applied(answer={"trades_today": 2}, before=stored, after=after, entries=written, own_from=2)
    assert await face.snapshot() == after
    assert await face.ledger() == LedgerPage(entries=written[::-1], sequence=3)
    assert ids_of(await face.ledger(LedgerQuery(subject="p-2"))) == ["p-2-in-doubt"]


BEFORE = INSTANT - timedelta(minutes=1)


async def test_the_transition_gets_the_state_as_it_is_by_then(face: Face) -> None:
    seen: list[WindowState] = []

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        seen.append(state)
        return Outcome(config, state, (), None)

    await face.create()
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    await face.apply(transition, instant=INSTANT - MICROSECOND)
    assert (await face.ledger()).sequence == 0
    applied = await face.apply(transition, instant=INSTANT)
    assert [(state["trades_today"], "permits" in state) for state in seen] == [(1, True), (0, False)]
    # A write that adds nothing of its own is one all the same.
    assert [entry.id for entry in applied.entries] == ["p-1-expired"]
    assert (applied.own_from, applied.after.sequence) == (1, 1)
    assert (await face.apply(transition, instant=INSTANT)).entries == ()


async def test_a_slot_that_time_gave_back_can_be_taken(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=1))
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    with pytest.raises(Refused):
        await face.apply(trade_within_limit("early"), instant=INSTANT - MICROSECOND)
    assert (await face.apply(trade_within_limit("t"), instant=INSTANT)).answer == {"trades_today": 1}
    assert ids_of(await face.ledger()) == ["t", "p-1-expired"]


async def test_a_keys_answer_is_kept_with_the_transitions_own_entry(face: Face) -> None:
    await face.create()
    await face.apply(reserved(permit_of("p-1"), permit_of("p-2")), instant=BEFORE)
    first = await face.apply(trade("t"), instant=INSTANT, key=key())
    assert (first.answer, first.own_from, first.entries[2].id) == ({"trades_today": 1}, 2, "t")
    again = await face.apply(NEVER, instant=INSTANT + AN_HOUR, key=key())
    assert (again.answer, again.replayed, again.entries) == ({"trades_today": 1}, True, ())
    with pytest.raises(KeyReused):
        await face.apply(NEVER, key=key(body="another"))
    assert ids_of(await face.ledger()) == ["t", "p-2-expired", "p-1-expired"]


async def test_a_kept_answer_is_given_without_a_look_at_the_time(face: Face) -> None:
    await face.create()
    await face.apply(trade("t"), key=key())
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    stored = await face.snapshot()
    assert (await face.apply(NEVER, instant=INSTANT + AN_HOUR, key=key())).replayed
    assert await face.snapshot() == stored


async def test_a_refusal_writes_nothing_of_what_time_did(face: Face) -> None:
    await face.create()
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    stored = await face.snapshot()
    late = INSTANT + AN_HOUR
    with pytest.raises(LookupError):
        await face.apply(raising(LookupError("no")), instant=late, key=key())
    with pytest.raises(ValueError, match="needs a ledger entry"):
        await face.apply(with_outcome(answer=None), instant=late, key=key())
    assert await face.snapshot() == stored
    assert await face.ledger() == LedgerPage(entries=(), sequence=0)
    await face.apply(trade("t"), instant=late, key=key())
    assert ids_of(await face.ledger()) == ["t", "p-1-expired"]


async def test_a_read_tells_what_was_written_and_writes_nothing(face: Face) -> None:
    await face.create()
    stored = (await face.apply(reserved(permit_of("p-1")), instant=BEFORE)).after
    for _ in range(2):
        assert await face.snapshot() == stored
        assert await face.create() == stored
        assert (await face.ledger()).entries == ()


async def test_only_one_of_many_writes_at_once_finds_a_permit_expired(store: Store) -> None:
    await store.create_async("w", CONFIG)
    await store.apply_async("w", reserved(permit_of("p-1")), instant=BEFORE)
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *[store.apply_async("w", trade(f"t-{n}"), instant=INSTANT, key=key(f"{n}")) for n in range(30)]
        )
    assert sorted(answer.answer["trades_today"] for answer in answers) == list(range(1, 31))
    page = store.ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == list(range(31, 0, -1))
    assert [entry.id for entry in page.entries if entry.kind == "permit"] == ["p-1-expired"]
    assert all(store.apply("w", NEVER, instant=INSTANT, key=key(f"{n}")).replayed for n in range(30))


async def test_a_day_that_turns_is_an_entry_in_front_of_the_first_write_on_it(face: Face) -> None:
    await face.create()
    await face.apply(trade("1"))
    await face.apply(trade("2"))
    tomorrow = INSTANT + timedelta(days=1)
    turned = await face.apply(trade("3", day="2025-03-04"), instant=tomorrow, key=key())
    await face.apply(trade("4", day="2025-03-04"), instant=tomorrow)
    page = await face.ledger()
    assert [(entry.sequence, entry.id) for entry in page.entries] == [
        (5, "4"),
        (4, "3"),
        (3, "day-2025-03-04"),
        (2, "2"),
        (1, "1"),
    ]
    assert page.entries[2] == LedgerEntry(
        sequence=3,
        id="day-2025-03-04",
        kind="day",
        instant=tomorrow,
        trade_day="2025-03-04",
        data={"before": "2025-03-03", "after": "2025-03-04", "trades": 2},
    )
    assert (turned.own_from, turned.answer) == (1, {"trades_today": 3})
    assert (await face.apply(NEVER, key=key())).answer == {"trades_today": 3}
    assert ids_of(await face.ledger(LedgerQuery(kind="day"))) == ["day-2025-03-04"]


async def test_a_day_is_left_with_the_count_that_time_made_of_it(face: Face) -> None:
    await face.create()
    await face.apply(reserved(permit_of("p-1"), permit_of("p-2", status="sent")), instant=BEFORE)
    await face.apply(trade("t", day="2025-03-04"), instant=INSTANT + timedelta(days=1))
    entries = (await face.ledger()).entries
    assert [entry.id for entry in entries] == ["t", "day-2025-03-04", "p-2-in-doubt", "p-1-expired"]
    assert entries[1].data == {"before": "2025-03-03", "after": "2025-03-04", "trades": 1}


async def test_a_trade_is_noted_by_its_names_and_its_time(face: Face) -> None:
    def trade_of(entry_id: str, **data: Any) -> Transition[None]:
        entry = Entry(id=entry_id, kind="trade", data=data, trade_day=DAY, symbol=data["symbol"])
        return with_outcome(entry, answer=None, trade_day=DAY)

    await face.create()
    await face.apply(trade_of("1", symbol="BTC-USD", side="buy", strategy="rsi"))
    await face.apply(trade_of("2", symbol="ETH-USD", side="sell", strategy=None), instant=INSTANT + AN_HOUR)
    await face.apply(
        trade_of("3", symbol="BTC-USD", side="sell", strategy=None, reduces=True), instant=INSTANT + AN_HOUR
    )
    assert (await face.snapshot()).state == {
        "trade_day": DAY,
        "trades_today": 0,
        "halt": None,
        "tally": {"symbol": {"BTC-USD": 1, "ETH-USD": 1}, "side": {"buy": 1, "sell": 1}, "strategy": {"rsi": 1}},
        "last_trades": {
            "*": "2025-03-03T13:30:15.123456Z",
            "BTC-USD": "2025-03-03T12:30:15.123456Z",
            "ETH-USD": "2025-03-03T13:30:15.123456Z",
        },
    }


# Whose dictionaries are whose


def spoil(value: Any) -> None:
    """Changes a JSON value through and through, in place."""
    for inner in list(value.values()):
        if hasattr(inner, "values"):
            spoil(inner)
    value.clear()
    value["spoiled"] = True


async def test_what_was_handed_in_or_out_can_be_changed_without_harm(face: Face) -> None:
    halt, data, answer = {"reason": "lunch"}, {"inner": {"id": "a"}}, {"inner": {"n": 1}}

    async def expect_unharmed() -> None:
        window, page = await face.snapshot(), await face.ledger()
        assert window.state == {"trade_day": None, "trades_today": 0, "halt": {"reason": "lunch"}}
        assert page.entries[0].data == {"inner": {"id": "a"}}
        again = await face.apply(NEVER, key=key())
        assert again.answer == {"inner": {"n": 1}}
        assert again.before.state == again.after.state == window.state

        for state in (window.state, again.before.state, again.after.state):
            if "spoiled" not in state:  # `before` and `after` may be one
                spoil(state)
        spoil(page.entries[0].data)
        spoil(again.answer)

    await face.create()
    applied = await face.apply(with_outcome(Entry(id="a", kind="note", data=data), answer=answer, halt=halt), key=key())
    for handed_in in (halt, data, answer):
        spoil(handed_in)
    spoil(applied.before.state)
    spoil(applied.after.state)
    await expect_unharmed()
    await expect_unharmed()


async def test_a_new_windows_state_is_its_own(face: Face) -> None:
    spoil((await face.create()).state)
    spoil((await face.create()).state)
    await expect_untouched(face)
    assert (await face.create("v")).state == UNTOUCHED


# All at once


async def test_a_caller_that_is_cancelled_does_not_undo_its_write(store: Store) -> None:
    await store.create_async("w", CONFIG)
    tasks = [asyncio.create_task(store.apply_async("w", trade(str(n)), instant=INSTANT)) for n in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*tasks, return_exceptions=True)
        # Whoever is answered after them knows that they are written.
        last = await store.apply_async("w", trade("last"), instant=INSTANT)
    assert last.answer == {"trades_today": 11}
    assert ids_of(store.ledger("w", ALL)) == ["last", *map(str, range(9, -1, -1))]


def at_once(store: Store, transition: Callable[[str], Transition[dict[str, int]]]) -> list[Any]:
    """700 writes of one window, all begun at the same instant: 200 tasks on one loop, 16 threads with 20 each, four
    threads with an event loop each and 45 tasks there. The answers and errors."""
    crowd = threading.Barrier(21)

    def contested(name: str) -> Transition[dict[str, int]]:
        def run(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[dict[str, int]]:
            time.sleep(0)  # lets another thread in, where nothing keeps it out
            return transition(name)(config, state, instant)

        return run

    def blocking(name: str) -> list[Any]:
        crowd.wait(DEADLINE_SECONDS)
        answers: list[Any] = []
        for number in range(20):
            try:
                answers.append(store.apply("w", contested(f"{name}-{number}"), instant=INSTANT))
            except Refused as refusal:
                answers.append(refusal)
        return answers

    async def tasks(name: str, count: int) -> list[Any]:
        writes = [store.apply_async("w", contested(f"{name}-{number}"), instant=INSTANT) for number in range(count)]
        return await asyncio.gather(*writes, return_exceptions=True)

    def looping(name: str, count: int) -> list[Any]:
        crowd.wait(DEADLINE_SECONDS)
        return asyncio.run(tasks(name, count))

    threads = [in_thread(looping, "big-loop", 200)]
    threads += [in_thread(blocking, f"thread-{number}") for number in range(16)]
    threads += [in_thread(looping, f"loop-{number}", 45) for number in range(4)]
    return [answer for thread in threads for answer in thread.result(DEADLINE_SECONDS)]


def test_tasks_threads_and_loops_at_once_lose_no_count(store: Store) -> None:
    store.create("w", CONFIG)
    answers = at_once(store, trade)
    every = list(range(1, 701))
    assert sorted(answer.answer["trades_today"] for answer in answers) == every
    assert sorted(answer.entries[0].sequence for answer in answers) == every
    assert all(answer.after.sequence == answer.before.sequence + 1 for answer in answers)
    page = store.ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == every[::-1]
    assert len(set(ids_of(page))) == 700
    assert {entry.id: entry.sequence for entry in page.entries} == {
        answer.entries[0].id: answer.entries[0].sequence for answer in answers
    }
    window = store.snapshot("w")
    assert (window.state["trades_today"], window.sequence) == (700, 700)


def test_tasks_threads_and_loops_at_once_get_no_slot_too_many(store: Store) -> None:
    store.create("w", WindowConfig(max_trades_per_day=100))
    answers = at_once(store, trade_within_limit)
    granted = [answer.answer["trades_today"] for answer in answers if isinstance(answer, Applied)]
    assert sorted(granted) == list(range(1, 101))
    assert [type(answer) for answer in answers].count(Refused) == 600
    assert store.ledger("w", ALL).sequence == 100


def test_windows_do_not_mix_when_many_are_written_at_once(store: Store) -> None:
    async def write() -> None:
        writes: list[Coroutine[Any, Any, object]] = []
        for number in range(30):
            await store.create_async(f"w{number}", CONFIG)
            for count in range(number):
                writes.append(store.apply_async(f"w{number}", trade(f"w{number}-{count}"), instant=INSTANT))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*writes)

    asyncio.run(write())
    assert [store.snapshot(f"w{number}").sequence for number in range(30)] == list(range(30))
    assert set(ids_of(store.ledger("w4", ALL))) == {"w4-0", "w4-1", "w4-2", "w4-3"}


# Closing


async def test_a_closed_store_opens_again_when_used(store: Store, face: Face) -> None:
    store.close()
    await face.create()
    store.close()
    store.close()
    await face.apply(trade("1"), key=key())
    store.close()
    assert (await face.snapshot()).sequence == 1
    store.close()
    assert ids_of(await face.ledger()) == ["1"]
    store.close()
    assert (await face.apply(trade("2"), key=key())).replayed


def test_a_store_that_is_closed_while_others_use_it_writes_what_it_acknowledges(store: Store) -> None:
    store.create("w", CONFIG)
    written: list[str] = []

    def use(name: str) -> None:
        for number in range(40):
            # A write that meets the closing may be refused; one that was answered is there.
            with suppress(StoreUnavailable):
                applied = store.apply("w", trade(f"{name}{number}"), instant=INSTANT)
                written.append(applied.entries[0].id)
                assert store.snapshot("w").sequence >= applied.after.sequence

    users = [in_thread(use, name) for name in "abcd"]
    while not all(user.done() for user in users):
        in_thread(store.close).result(DEADLINE_SECONDS)
    for user in users:
        user.result(DEADLINE_SECONDS)
    page = store.ledger("w", ALL)
    assert sorted(ids_of(page)) == sorted(written)
    assert [entry.sequence for entry in page.entries] == list(range(len(written), 0, -1))


@pytest.mark.parametrize("open_store", DURABLE, indirect=True)
async def test_another_store_on_the_same_state_finds_everything(open_store: OpenStore) -> None:
    first = open_store()
    await first.create_async("w", CONFIG)
    written = await first.apply_async("w", trade("1"), instant=INSTANT, key=key())
    first.close()

    second = open_store()
    assert second.create("w", WindowConfig()) == written.after
    assert second.ledger("w", ALL) == LedgerPage(entries=written.entries, sequence=1)
    again = second.apply("w", trade("2"), instant=INSTANT, key=key())
    assert (again.answer, again.replayed) == ({"trades_today": 1}, True)
    with pytest.raises(KeyReused):
        await second.apply_async("w", trade("3"), instant=INSTANT, key=key(body="another"))
    assert second.snapshot("w") == written.after


@pytest.mark.parametrize("open_store", DURABLE, indirect=True)
def test_two_stores_on_the_same_state_take_turns(open_store: OpenStore) -> None:
    stores = [open_store(), open_store()]
    stores[0].create("w", CONFIG)

    def write(number: int) -> None:
        for count in range(40):
            stores[number % 2].apply(
                "w", trade(f"{number}-{count}"), instant=INSTANT, key=key(f"{number // 2}-{count}")
            )

    threads = [in_thread(write, number) for number in range(4)]
    for thread in threads:
        thread.result(DEADLINE_SECONDS)
    for store in stores:
        page = store.ledger("w", ALL)
        assert [entry.sequence for entry in page.entries] == list(range(80, 0, -1))
        assert store.snapshot("w").state["trades_today"] == 80

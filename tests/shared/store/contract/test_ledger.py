"""Entries are numbered per window, and read a page at a time."""

import threading

from shared.store.base import LedgerQuery, Store
from shared.window import Entry
from tests.shared.store.contract.faces import Face, ids_of
from tests.shared.store.helpers import CONFIG, DAY, DEADLINE_SECONDS, INSTANT, in_thread, trade, with_outcome


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

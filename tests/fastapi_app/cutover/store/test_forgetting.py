"""What every store of the cutover promises where evidence is forgotten."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from fastapi_app.cutover.store.base import Change, ChangeRefused, CountKey, CutoverStore, Forgotten, ModeTable
from tests.fastapi_app.cutover.store.helpers import (
    BOTH,
    CANARY,
    INSTANT,
    MATCH,
    NEW,
    OTHER,
    SEEDED,
    SHADOW,
    ids,
    mismatch,
    move,
)

OTHER_MATCH = CountKey(OTHER.name, "canary", "match", "")


def forget(store: CutoverStore, *names: str, **options: Any) -> list[Forgotten]:
    """Without names, that of all."""
    given = {"author": "ann", "reason": "native is mended", "at": INSTANT, **options}
    return list(store.forget(names or None, **given))


def with_evidence(store: CutoverStore) -> None:
    counts = {
        MATCH: 3,
        CountKey(BOTH.name, "canary", "mismatch", ""): 2,
        CountKey(BOTH.name, "shadow", "skipped", "queue_full"): 5,
        OTHER_MATCH: 7,
    }
    store.add_evidence(counts, [mismatch(), mismatch(OTHER.name), mismatch(mode=CANARY)])


def test_counts_and_mismatches_of_an_endpoint_are_forgotten(store: CutoverStore) -> None:
    with_evidence(store)
    assert forget(store, BOTH.name) == [Forgotten(endpoint=BOTH.name, comparisons=10, mismatches=2)]
    assert store.counts() == {OTHER_MATCH: 7}
    assert ids(store) == [2]
    assert store.mismatch(1) is None
    store.add_evidence({MATCH: 1}, [])
    assert store.counts() == {OTHER_MATCH: 7, MATCH: 1}


@pytest.mark.parametrize("names", [(), (OTHER.name, BOTH.name, NEW.name)], ids=["all", "several"])
def test_several_are_forgotten_in_the_order_of_the_inventory(store: CutoverStore, names: tuple[str, ...]) -> None:
    with_evidence(store)
    assert forget(store, *names) == [
        Forgotten(endpoint=BOTH.name, comparisons=10, mismatches=2),
        Forgotten(endpoint=OTHER.name, comparisons=7, mismatches=1),
    ]
    assert (store.counts(), ids(store)) == ({}, [])


def test_the_log_says_who_forgot_the_evidence_when_and_why(store: CutoverStore) -> None:
    move(store, to=CANARY)
    with_evidence(store)
    at = datetime(2025, 3, 3, 14, 0, tzinfo=timezone(timedelta(hours=1)))
    forget(store, author="eve", reason="a \ud800", at=at)
    newest, older, *_ = store.log()
    assert (newest.endpoint, older.endpoint) == (OTHER.name, BOTH.name)
    assert older == Change(
        version=2,
        at=datetime(2025, 3, 3, 13, 0, tzinfo=UTC),
        endpoint=BOTH.name,
        before=CANARY,
        after=CANARY,
        author="eve",
        reason="a \\ud800",
    )
    assert [change.kind for change in store.log(endpoint=BOTH.name)] == ["forget", "move", "begin"]


def test_to_forget_evidence_leaves_the_table_as_it_is(store: CutoverStore) -> None:
    move(store, to=CANARY)
    move(store, OTHER.name)
    with_evidence(store)
    forget(store)
    table = store.table()
    assert table == ModeTable(3, {**SEEDED, BOTH.name: CANARY, OTHER.name: SHADOW})
    # So that no plan of a running process is made anew.
    assert table.since == {**dict.fromkeys(SEEDED, 1), BOTH.name: 2, OTHER.name: 3}
    assert move(store, to=SHADOW).version == 4


def test_an_id_of_a_forgotten_mismatch_is_not_used_again(store: CutoverStore) -> None:
    with_evidence(store)
    forget(store)
    store.close()
    assert list(store.add_evidence({}, [mismatch()])) == [4]
    assert ids(store) == [4]


def test_a_mismatch_is_forgotten_though_none_was_counted(store: CutoverStore) -> None:
    store.add_evidence({}, [mismatch()])
    assert forget(store, BOTH.name) == [Forgotten(endpoint=BOTH.name, comparisons=0, mismatches=1)]
    assert ids(store) == []


@pytest.mark.parametrize("names", [(), (BOTH.name,)], ids=["all", "one"])
def test_where_there_is_no_evidence_nothing_is_written(store: CutoverStore, names: tuple[str, ...]) -> None:
    log = store.log()
    assert forget(store, *names) == []
    assert store.log() == log


def test_the_evidence_of_an_endpoint_that_is_gone_is_forgotten_too(store: CutoverStore) -> None:
    with_evidence(store)
    store.register([OTHER], {}, at=INSTANT)
    assert [each.endpoint for each in forget(store, BOTH.name)] == [BOTH.name]
    assert store.counts() == {OTHER_MATCH: 7}


@pytest.mark.parametrize(
    ("unknown", "sentence"),
    [
        ("GET /api/boht", "'GET /api/boht' is not an endpoint: the nearest are GET /api/both"),
        ("", "'' is not an endpoint: `tradewindow cutover list` shows all"),
    ],
)
def test_nothing_is_forgotten_where_an_endpoint_never_was(store: CutoverStore, unknown: str, sentence: str) -> None:
    with_evidence(store)
    before, log = store.counts(), store.log()
    with pytest.raises(ChangeRefused) as raised:
        forget(store, BOTH.name, unknown)
    assert str(raised.value).startswith(sentence)
    assert (store.counts(), ids(store), store.log()) == (before, [3, 2, 1], log)


def test_nothing_is_forgotten_at_a_naive_instant(store: CutoverStore) -> None:
    with_evidence(store)
    before = store.counts()
    with pytest.raises(ValueError, match="not aware of its time zone"):
        forget(store, at=datetime(2025, 3, 3))  # noqa: DTZ001 - what is refused
    assert (store.counts(), ids(store)) == (before, [3, 2, 1])

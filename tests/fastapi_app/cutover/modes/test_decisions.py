"""What processes decide by themselves holds until it is written and after, and doesn't undo what a person did since."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.evidence.evidence import Evidence
from fastapi_app.cutover.modes.sync import Decision, Sync
from fastapi_app.cutover.store.base import Change, ModeTable
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.modes import EndpointMode
from tests.fastapi_app.cutover.store.helpers import BOTH, CANARY, INSTANT, INVENTORY, OTHER, VERIFY, mismatch

SHADOW = EndpointMode(mode="shadow")
HALF = EndpointMode(mode="verify", sample_rate=0.5)
WATCHES_NO_MORE = EndpointMode(mode="verify", sample_rate=0)
COMPARED_NO_MORE = EndpointMode(mode="shadow", sample_rate=0)

TAKE_BACK: Mapping[str, Any] = {"kind": "take back", "author": "guard", "reason": "they differ"}
GIVE_UP: Mapping[str, Any] = {"kind": "give up", "author": "watchdog", "reason": "native hangs"}
STOP_COMPARING: Mapping[str, Any] = {"kind": "stop comparing", "author": "watchdog", "reason": "legacy hangs"}


def in_verify(store: MemoryCutoverStore) -> MemoryCutoverStore:
    """At version 1."""
    store.register(INVENTORY, {BOTH.name: VERIFY, OTHER.name: VERIFY}, at=INSTANT)
    return store


@pytest.fixture
def store() -> MemoryCutoverStore:
    return in_verify(MemoryCutoverStore())


def process(store: MemoryCutoverStore, *, on_table: Callable[[ModeTable], None] = lambda _table: None) -> Sync:
    return Sync(store, Evidence(), store.table(), on_table=on_table, poll_seconds=1)


def decided(
    made: Mapping[str, Any], *, name: str = BOTH.name, since: int = 1, found: Mismatch | None = None
) -> Decision:
    return Decision(endpoint=name, since=since, mismatch=found, **made)


def move(store: MemoryCutoverStore, to: EndpointMode, *, name: str = BOTH.name) -> None:
    store.change({name: to}, author="ann", reason="mended", at=datetime.now(UTC))


def moves(store: MemoryCutoverStore) -> list[tuple[str, EndpointMode]]:
    """Oldest first, without the seed."""
    return [(change.author, change.after) for change in reversed(store.log(endpoint=BOTH.name))][1:]


class TellingLock:
    """A lock that calls a function each time when it was let go."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._let_go = let_go

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_raised: object) -> None:
        self._lock.release()
        self._let_go()


def test_it_stays_in_force_while_it_is_written_and_another_thread_decides(
    store: MemoryCutoverStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[EndpointMode] = []
    sync = process(store, on_table=lambda table: shown.append(table.modes[BOTH.name]))
    sync.decide(decided(TAKE_BACK))

    def decide_about_another() -> None:
        monkeypatch.undo()
        thread = threading.Thread(target=sync.decide, args=[decided(TAKE_BACK, name=OTHER.name)])
        thread.start()
        thread.join()

    monkeypatch.setattr(sync, "_lock", TellingLock(decide_about_another))
    sync.once()
    assert shown == [VERIFY, *[SHADOW] * (len(shown) - 1)]
    assert store.table().modes[OTHER.name] == SHADOW


@pytest.mark.parametrize("to", [VERIFY, HALF, CANARY])
def test_what_a_person_moved_since_another_process_took_it_back_stays(
    store: MemoryCutoverStore, to: EndpointMode, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[EndpointMode] = []
    one, other = process(store), process(store, on_table=lambda table: shown.append(table.modes[BOTH.name]))
    for sync in (one, other):
        sync.decide(decided(TAKE_BACK, found=mismatch()))
    one.once()
    move(store, to)
    other.once()
    assert moves(store) == [("guard", SHADOW), ("ann", to)]
    assert shown[-1] == to
    assert len(store.mismatches()) == 2
    assert f"{BOTH.name}: somebody has moved it since, and that stands" in caplog.text


def test_what_a_person_moved_since_stays_also_where_a_process_has_taken_that_back(store: MemoryCutoverStore) -> None:
    one, other = process(store), process(store)
    other.decide(decided(GIVE_UP))
    move(store, HALF)
    one.once()
    one.decide(decided(TAKE_BACK, since=2))
    one.once()
    other.once()
    assert moves(store) == [("ann", HALF), ("guard", EndpointMode(mode="shadow", sample_rate=0.5))]


def test_a_person_s_move_of_another_endpoint_overtakes_nothing(store: MemoryCutoverStore) -> None:
    sync = process(store)
    sync.decide(decided(TAKE_BACK))
    move(store, HALF, name=OTHER.name)
    sync.once()
    assert moves(store) == [("guard", SHADOW)]


def test_that_a_person_forgot_its_evidence_overtakes_nothing(store: MemoryCutoverStore) -> None:
    one, other = process(store), process(store)
    other.decide(decided(GIVE_UP))
    one.decide(decided(TAKE_BACK, found=mismatch()))
    one.once()
    store.forget([BOTH.name], author="ann", reason="mended", at=INSTANT)
    other.once()
    assert store.table().modes[BOTH.name] == COMPARED_NO_MORE


def test_of_processes_that_decide_the_same_at_once_one_moves_it_and_each_keeps_its_mismatch(
    store: MemoryCutoverStore,
) -> None:
    processes = [process(store) for _ in range(3)]
    for sync in processes:
        sync.decide(decided(TAKE_BACK, found=mismatch()))
    for sync in processes:
        sync.once()
    assert moves(store) == [("guard", SHADOW)]
    assert len(store.mismatches()) == 3


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        (TAKE_BACK, GIVE_UP, COMPARED_NO_MORE),
        (GIVE_UP, TAKE_BACK, COMPARED_NO_MORE),
        (STOP_COMPARING, TAKE_BACK, COMPARED_NO_MORE),
        (STOP_COMPARING, GIVE_UP, COMPARED_NO_MORE),
    ],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_of_two_decisions_none_overtakes_the_other(
    store: MemoryCutoverStore, first: Mapping[str, Any], second: Mapping[str, Any], left: EndpointMode, processes: int
) -> None:
    syncs = [process(store) for _ in range(processes)]
    syncs[0].decide(decided(first))
    syncs[-1].decide(decided(second))
    for sync in syncs:
        sync.once()
    assert store.table().modes[BOTH.name] == left


def test_a_person_s_move_in_the_middle_of_it_is_not_undone_and_the_mode_before_is_not_shown_again() -> None:
    class Busy(MemoryCutoverStore):
        """Somebody moves the endpoint as its log is read."""

        def log(self, *, limit: int = 50, endpoint: str | None = None) -> Sequence[Change]:
            if self.version() == 2:
                move(self, HALF)
            return super().log(limit=limit, endpoint=endpoint)

    store = in_verify(Busy())
    shown: list[EndpointMode] = []
    one, other = process(store), process(store, on_table=lambda table: shown.append(table.modes[BOTH.name]))
    one.decide(decided(STOP_COMPARING))
    one.once()
    other.decide(decided(TAKE_BACK))
    other.once()
    assert moves(store) == [("watchdog", WATCHES_NO_MORE), ("ann", HALF)]
    assert shown == [VERIFY, SHADOW, COMPARED_NO_MORE, HALF]

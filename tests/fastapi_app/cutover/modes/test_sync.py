"""Two processes on one store stay in step, and requests go on when it can't answer."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.cutover.comparing.observation import Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.evidence.evidence import WAITING_MISMATCHES, Evidence
from fastapi_app.cutover.modes.sync import Sync
from fastapi_app.cutover.store.base import CountKey, ModeTable
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode, Mode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, cutover_of, mode_of, wsgi
from tests.fastapi_app.cutover.store.helpers import BOTH, INVENTORY, migrated

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
MODE = EndpointMode(mode="shadow")


class BreakableStore(MemoryCutoverStore):
    """One that can be told not to answer."""

    broken = False

    def version(self) -> int:
        self._answer()
        return super().version()

    def change(self, *arguments: Any, **options: Any) -> Any:
        self._answer()
        return super().change(*arguments, **options)

    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        self._answer()
        return super().add_evidence(counts, mismatches)

    def _answer(self) -> None:
        if self.broken:
            raise StoreUnavailable("the disk is gone")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_change_reaches_another_process_within_its_poll() -> None:
    store = MemoryCutoverStore()
    settings = CutoverSettings(poll_seconds=0.05)
    one, other = (cutover_of(asgi(), wsgi(), {"GET /items": "legacy"}, store=store, settings=settings) for _ in "12")
    async with other.running():
        await one.change({"GET /items": MODE}, author="ada", reason="look")
        wait_until(lambda: mode_of(other, "GET /items") == MODE)
    assert other.health()["version"] == one.health()["version"] == store.version()


def test_a_state_file_put_in_the_other_s_place_is_in_force_also_at_the_same_version(tmp_path: Path) -> None:
    class Counting(SQLiteCutoverStore):
        tables = 0

        def table(self) -> ModeTable:
            self.tables += 1
            return super().table()

    shown: list[EndpointMode] = []
    store = Counting(migrated(tmp_path / "cutover.db"))
    with closing(store), closing(SQLiteCutoverStore(migrated(tmp_path / "backup.db"))) as backup:
        table = store.register(INVENTORY, {BOTH.name: EndpointMode(mode="native")}, at=NOW)
        sync = Sync(
            store,
            Evidence(),
            table,
            on_table=lambda table: shown.append(table.modes[BOTH.name]),
            poll_seconds=1,
        )
        backup.register(INVENTORY, {BOTH.name: MODE}, at=NOW)
        backup.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{store.path}{suffix}").unlink()
        backup.path.rename(store.path)
        for _ in range(3):
            sync.once()
    assert shown == [EndpointMode(mode="native"), MODE]
    # A poll without news is cheap.
    assert (sync.version, store.tables) == (1, 1)


async def test_without_the_store_the_last_table_holds_and_health_says_why() -> None:
    store = BreakableStore()
    # The thread looks once at its start, and then when it is woken.
    settings = CutoverSettings(poll_seconds=1)
    app = cutover_of(
        asgi(b"1"), wsgi(b"2"), {"GET /items": "verify", "GET /others": "native"}, store=store, settings=settings
    )
    async with app.running():
        store.broken = True
        assert (await ask(app, "GET", "/others")).side == "native"
        assert (await ask(app, "GET", "/items")).side == "native"
        await app.settled()
        health = app.health()
        assert (health["status"], health["problems"]) == ("degraded", ["the cutover's store: the disk is gone"])
        # The guard needs no store to take an endpoint back here.
        assert (await ask(app, "GET", "/items")).side == "legacy"

        store.broken = False
        await app.settled()
        assert app.health()["status"] == "ok"
    assert store.table().modes["GET /items"] == MODE
    # The one of the guard, and the request after it, in shadow.
    assert {(key.mode, key.outcome, count) for key, count in store.counts().items()} == {
        ("verify", "mismatch", 1),
        ("shadow", "mismatch", 1),
    }
    assert [(mismatch.mode.mode, mismatch.id) for mismatch in store.mismatches()] == [("shadow", 2), ("verify", 1)]


async def test_evidence_that_can_not_be_kept_keeps_no_change_of_modes_away() -> None:
    class Full(BreakableStore):
        def add_evidence(self, *_arguments: Any) -> Sequence[int]:
            raise StoreUnavailable("the disk is full")

    store = Full()
    settings = CutoverSettings(poll_seconds=0.05)
    app = cutover_of(asgi(), wsgi(), {"GET /items": "shadow"}, store=store, settings=settings)
    async with app.running():
        await ask(app, "GET", "/items")
        await app.settled()
        store.change({"GET /items": EndpointMode(mode="legacy")}, author="ada", reason="back", at=NOW)
        wait_until(lambda: mode_of(app, "GET /items") == EndpointMode(mode="legacy"))
        assert app.health()["problems"] == ["the cutover's store: the disk is full"]


async def test_a_mismatch_that_can_not_be_kept_keeps_no_endpoint_from_being_taken_back() -> None:
    class AlmostFull(MemoryCutoverStore):
        full = True

        def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
            if mismatches and self.full:
                raise StoreUnavailable("the disk is full")
            return super().add_evidence(counts, mismatches)

    store = AlmostFull()
    app = cutover_of(asgi(b"2"), wsgi(b"1"), {"GET /items": "verify"}, store=store)
    await ask(app, "GET", "/items")
    await app.settled()
    assert store.table().modes["GET /items"] == EndpointMode(mode="shadow")
    assert store.log()[0].reason == "body: native 2, legacy 1"
    assert app._sync.problem == "the disk is full"
    store.full = False
    await app.settled()
    assert [mismatch.endpoint for mismatch in store.mismatches()] == ["GET /items"]
    assert sum(store.counts().values()) == 1


async def test_where_a_newer_version_has_no_native_side_an_older_one_is_taken_back_to_legacy() -> None:
    store = MemoryCutoverStore()
    older = cutover_of(asgi(b"2"), wsgi(b"1"), {"GET /items": "verify"}, store=store)
    cutover_of(None, wsgi(b"1"), {}, store=store, legacy_alone=[("GET", "/items")])
    assert (await ask(older, "GET", "/items")).side == "native"
    await older.settled()
    assert (await ask(older, "GET", "/items")).side == "legacy"
    assert store.table().modes["GET /items"] == EndpointMode(mode="legacy")
    assert store.log()[0].author == "guard"


async def test_where_legacy_hangs_no_client_is_sent_to_it_also_where_a_newer_version_has_no_native_side() -> None:
    store = MemoryCutoverStore()
    older = cutover_of(asgi(), wsgi(), {"GET /items": "verify"}, store=store)
    cutover_of(None, wsgi(), {}, store=store, legacy_alone=[("GET", "/items")])
    older._stop_comparing("GET /items", "legacy", "it hangs")
    await older.settled()
    assert store.table().modes["GET /items"].mode == "verify"
    assert (await ask(older, "GET", "/items")).side == "native"


async def test_two_decisions_about_one_endpoint_both_hold() -> None:
    store = BreakableStore()
    verify = EndpointMode(mode="verify")
    app = cutover_of(asgi(), wsgi(), {"GET /items": verify}, store=store)
    store.broken = True
    app._stop_comparing("GET /items", "legacy", "it hangs")
    for _ in range(6):
        plan = app.plan("GET /items")
        assert plan is not None
        app._guard.native_failed(plan)
    assert mode_of(app, "GET /items") == EndpointMode(mode="shadow", sample_rate=0)
    store.broken = False
    await app.settled()
    assert store.table().modes["GET /items"] == EndpointMode(mode="shadow", sample_rate=0)
    assert [change.author for change in store.log()][:2] == ["guard", "watchdog"]


async def test_health_says_that_nothing_has_started_the_cutover() -> None:
    app = cutover_of(asgi(), wsgi(), {"GET /items": "shadow"})
    (problem,) = app.health()["problems"]
    assert "the server has not started the lifespan" in problem


async def test_a_change_that_the_store_can_not_take_is_refused_and_nothing_moves() -> None:
    store = BreakableStore()
    app = cutover_of(asgi(), wsgi(), {"GET /items": "legacy"}, store=store)
    store.broken = True
    with pytest.raises(StoreUnavailable):
        await app.change({"GET /items": MODE}, author="ada", reason="look")
    assert mode_of(app, "GET /items") == EndpointMode(mode="legacy")


async def test_the_thread_outlives_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(MemoryCutoverStore):
        faults = 0

        def version(self) -> int:
            self.faults += 1
            if self.faults == 1:
                raise KeyError("a fault")
            return super().version()

    store = Faulty()
    app = cutover_of(asgi(), wsgi(), {"GET /items": "legacy"}, store=store, settings=CutoverSettings(poll_seconds=0.05))
    async with app.running():
        wait_until(lambda: store.faults > 2)
        assert app.health()["status"] == "ok"
    assert "a round with the cutover's store failed" in caplog.text


def mismatch(number: int) -> Mismatch:
    answer = SeenAnswer(status=200)
    return Mismatch(
        endpoint=f"GET /{number}",
        at=NOW,
        mode=MODE,
        request=SeenRequest(method="GET", path="/"),
        primary=Observation(side="legacy", answer=answer),
        candidate=Observation(side="native", answer=answer),
        differences=(),
    )


class ChoosyStore(MemoryCutoverStore):
    """It can't take the body of a mismatch."""

    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        if any(mismatch.primary.answer.body for mismatch in mismatches):
            raise RecursionError
        return super().add_evidence(counts, mismatches)


@pytest.mark.parametrize("mode", ["shadow", "verify"])
async def test_a_mismatch_that_can_not_be_written_whole_is_kept_without_its_content(mode: Mode) -> None:
    store = ChoosyStore()
    app = cutover_of(asgi(b"1"), wsgi(b"2"), {"GET /items": mode}, store=store)
    async with app.running():
        await ask(app, "GET", "/items")
        await app.settled()
        assert app.health()["problems"] == []
    assert store.table().modes["GET /items"] == MODE
    assert list(store.counts().values()) == [1]
    (mismatch,) = store.mismatches()
    assert mismatch.differences[0].path == "body"


class SlowStore(MemoryCutoverStore):
    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        time.sleep(0.05)
        return super().add_evidence(counts, mismatches)


async def test_a_round_that_is_asked_for_waits_for_the_one_that_runs() -> None:
    store = SlowStore()
    app = cutover_of(asgi(b"1"), wsgi(b"2"), {"GET /items": "verify", "GET /others": "verify"}, store=store)
    async with app.running():
        for path in ("/items", "/others"):
            await ask(app, "GET", path)
        # The guard wakes the thread.
        await app.settled()
    assert [change.author for change in store.log()].count("guard") == 2
    assert sorted(mismatch.endpoint for mismatch in store.mismatches()) == ["GET /items", "GET /others"]


async def test_evidence_starts_over_once_it_is_forgotten_and_no_plan_is_made_anew(tmp_path: Path) -> None:
    store = SQLiteCutoverStore(migrated(tmp_path / "cutover.db"))
    modes: dict[str, Mode] = {"GET /items": "shadow", "GET /others": "shadow"}
    app = cutover_of(asgi(b"1"), wsgi(b"2"), modes, store=store, settings=CutoverSettings(poll_seconds=0.05))
    store.change({"GET /others": EndpointMode(mode="legacy")}, author="ada", reason="back", at=NOW)
    async with app.running():
        for _ in range(2):
            await ask(app, "GET", "/items")
        await app.settled()
        plan = app.plan("GET /items")
        (forgotten,) = store.forget(["GET /items"], author="ada", reason="mended", at=NOW)
        assert (forgotten.comparisons, forgotten.mismatches) == (2, 2)
        # The process reads the table again.
        store.change({"GET /others": EndpointMode(mode="verify")}, author="ada", reason="on", at=NOW)
        wait_until(lambda: mode_of(app, "GET /others") == EndpointMode(mode="verify"))
        assert app.plan("GET /items") is plan
        await ask(app, "GET", "/items")
        await app.settled()
        assert list(store.counts().values()) == [1]


def test_evidence_that_waits_is_bounded_and_loses_no_count() -> None:
    evidence = Evidence()
    for number in range(WAITING_MISMATCHES + 5):
        evidence.count("GET /items", "shadow", "mismatch")
        evidence.add(mismatch(number))
    counts, mismatches = evidence.take()
    evidence.count("GET /items", "shadow", "mismatch")
    evidence.add(mismatch(1_000))
    evidence.give_back(counts, mismatches)
    counts, mismatches = evidence.take()
    assert counts == {CountKey("GET /items", "shadow", "mismatch", ""): WAITING_MISMATCHES + 6}
    assert [each.endpoint for each in mismatches] == [f"GET /{n}" for n in (*range(6, WAITING_MISMATCHES + 5), 1_000)]
    assert evidence.take() == ({}, [])


def test_evidence_is_counted_from_many_threads() -> None:
    evidence = Evidence()

    def count() -> None:
        for _ in range(1_000):
            evidence.count("GET /items", "shadow", "match")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert evidence.take()[0] == {CountKey("GET /items", "shadow", "match", ""): 4_000}

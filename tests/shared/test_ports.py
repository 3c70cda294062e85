"""One request's view of the world: one instant, and one snapshot of each window until its own write."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.clock import FrozenClock
from shared.errors import KeyReused, Refused, UnknownWindow
from shared.ids import FrozenIds
from shared.ports import SCOPE_KEY, LivePorts, Ports, Windows, ports_of_scope
from shared.store.base import Applied, IdempotencyKey, LedgerPage, LedgerQuery
from shared.store.memory import MemoryStore
from shared.window import Asking, Entry, Outcome, Snapshot, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.helpers import permit_of, reserved, with_outcome

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
CONFIG = WindowConfig(max_trades_per_day=5)
KEY = IdempotencyKey(endpoint="POST /trades", value="key-1", fingerprint="body-1")


class Face:
    """A request's windows through one of their two faces, so that a test is written once."""

    def __init__(self, windows: Windows, *, awaited: bool) -> None:
        self._windows = windows
        self._awaited = awaited

    async def create(self, config: WindowConfig = CONFIG) -> Snapshot:
        return await self._windows.create_async("w", config) if self._awaited else self._windows.create("w", config)

    async def snapshot(self, window_id: str = "w") -> Snapshot:
        windows = self._windows
        return await windows.snapshot_async(window_id) if self._awaited else windows.snapshot(window_id)

    async def ledger(self, query: LedgerQuery | None = None) -> LedgerPage:
        query, windows = query or LedgerQuery(), self._windows
        return await windows.ledger_async("w", query) if self._awaited else windows.ledger("w", query)

    async def apply(self, transition: Transition[Any], **options: Any) -> Applied[Any]:
        apply, apply_async = self._windows.apply, self._windows.apply_async
        return await apply_async("w", transition, **options) if self._awaited else apply("w", transition, **options)


def trade(entry_id: str, symbol: str | None = None) -> Transition[str]:
    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[str]:
        changed: WindowState = {**state, "trades_today": state["trades_today"] + 1}
        return Outcome(
            config, changed, (Entry(id=entry_id, kind="trade", data={}, symbol=symbol),), instant.isoformat()
        )

    return transition


def halting(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
    return Outcome(config, {**state, "halt": {"reason": "lunch"}}, (), None)


def never(_config: WindowConfig, _state: WindowState, _instant: datetime) -> Outcome[Any]:
    raise AssertionError("the transition ran")


@pytest.fixture
def store() -> MemoryStore:
    """Holds the window `w`, with one trade: `first`."""
    store = MemoryStore()
    store.create("w", CONFIG)
    store.apply("w", trade("first"), instant=NOON)
    return store


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture
def ports(store: MemoryStore, clock: FrozenClock) -> Ports:
    return LivePorts(store=store, clock=clock, ids=FrozenIds()).for_request()


@pytest.fixture(params=["blocking", "awaited"])
def face_of(request: pytest.FixtureRequest) -> Callable[[Ports], Face]:
    return lambda ports: Face(ports.windows, awaited=request.param == "awaited")


@pytest.fixture
def windows(ports: Ports, face_of: Callable[[Ports], Face]) -> Face:
    return face_of(ports)


@pytest.fixture
def others(store: MemoryStore) -> Callable[[], None]:
    """Somebody else's write, each of another trade: `other-1`, `other-2` and so on."""
    numbers = itertools.count(1)

    def write() -> None:
        store.apply("w", trade(f"other-{next(numbers)}"), instant=NOON)

    return write


def ids_of(page: LedgerPage) -> list[str]:
    return [entry.id for entry in page.entries]


# One instant


def test_a_request_has_one_instant_drawn_at_its_first_touch(ports: Ports, clock: FrozenClock) -> None:
    clock.step(timedelta(seconds=1))
    drawn = ports.instant()
    clock.step(timedelta(days=1))
    assert drawn.isoformat() == ports.instant().isoformat() == "2025-03-03T12:00:01+00:00"


def test_another_request_has_another_instant(store: MemoryStore, clock: FrozenClock) -> None:
    live = LivePorts(store=store, clock=clock)
    first = live.for_request().instant()
    clock.step(timedelta(hours=-13))
    assert (first.isoformat(), live.for_request().instant().isoformat()) == (
        "2025-03-03T12:00:00+00:00",
        "2025-03-02T23:00:00+00:00",
    )


async def test_each_write_of_a_request_is_at_its_one_instant(
    ports: Ports, windows: Face, clock: FrozenClock, store: MemoryStore
) -> None:
    ports.instant()
    clock.step(timedelta(days=1))
    assert (await windows.apply(trade("a"))).answer == "2025-03-03T12:00:00+00:00"
    clock.step(timedelta(days=1))
    assert (await windows.apply(trade("b"))).answer == "2025-03-03T12:00:00+00:00"
    assert {entry.instant for entry in store.ledger("w", LedgerQuery()).entries} == {NOON}


def test_ids_are_drawn_by_kind(ports: Ports) -> None:
    assert [ports.new_id(kind) for kind in ("trade", "config", "trade")] == ["trade-1", "config-1", "trade-2"]


# One snapshot


async def test_reads_answer_from_the_first_snapshot_whatever_others_write(
    windows: Face, others: Callable[[], None]
) -> None:
    first = await windows.snapshot()
    others()
    others()
    assert await windows.snapshot() == first
    assert (first.sequence, first.state["trades_today"]) == (1, 1)


async def test_both_faces_share_the_snapshot(ports: Ports, others: Callable[[], None]) -> None:
    first = ports.windows.snapshot("w")
    others()
    assert await ports.windows.snapshot_async("w") == first
    assert ids_of(await ports.windows.ledger_async("w", LedgerQuery())) == ["first"]


async def test_each_window_has_a_snapshot_of_its_own(windows: Face, store: MemoryStore) -> None:
    store.create("v", WindowConfig(max_trades_per_day=7))
    await windows.snapshot("w")
    store.apply("v", trade("of v"), instant=NOON)
    assert ((await windows.snapshot("w")).window_id, (await windows.snapshot("w")).sequence) == ("w", 1)
    assert ((await windows.snapshot("v")).window_id, (await windows.snapshot("v")).sequence) == ("v", 1)


async def test_another_request_takes_its_own_snapshot(
    store: MemoryStore, face_of: Callable[[Ports], Face], others: Callable[[], None]
) -> None:
    live = LivePorts(store=store)
    earlier, later = face_of(live.for_request()), face_of(live.for_request())
    await earlier.snapshot()
    others()
    assert ((await earlier.snapshot()).sequence, (await later.snapshot()).sequence) == (1, 2)


async def test_the_ledger_is_read_as_of_the_snapshot_although_others_write(
    windows: Face, others: Callable[[], None]
) -> None:
    await windows.snapshot()
    others()
    page = await windows.ledger()
    assert (ids_of(page), page.sequence) == (["first"], 1)
    others()
    assert await windows.ledger() == page


async def test_a_ledger_read_takes_the_snapshot_when_it_comes_first(windows: Face, others: Callable[[], None]) -> None:
    assert ids_of(await windows.ledger()) == ["first"]
    others()
    assert (await windows.snapshot()).sequence == 1
    assert ids_of(await windows.ledger()) == ["first"]


async def test_a_ledger_read_keeps_what_was_asked_for(windows: Face, store: MemoryStore) -> None:
    for entry_id, symbol in (("b", "BTC"), ("c", "ETH"), ("d", "BTC"), ("e", "BTC")):
        store.apply("w", trade(entry_id, symbol), instant=NOON)
    await windows.snapshot()
    store.apply("w", trade("late", "BTC"), instant=NOON)
    assert ids_of(await windows.ledger(LedgerQuery(symbol="BTC", limit=2))) == ["e", "d"]
    assert ids_of(await windows.ledger(LedgerQuery(kind="config"))) == []
    assert ids_of(await windows.ledger(LedgerQuery(through=3))) == ["c", "b", "first"]
    assert ids_of(await windows.ledger(LedgerQuery(through=99))) == ["e", "d", "c", "b", "first"]


# Writes


async def test_a_write_judges_the_window_as_it_is_and_reads_follow_it(
    windows: Face, others: Callable[[], None]
) -> None:
    await windows.snapshot()
    others()
    applied = await windows.apply(trade("mine"))
    assert (applied.before.sequence, applied.after.sequence) == (2, 3)
    assert await windows.snapshot() == applied.after
    assert ids_of(await windows.ledger()) == ["mine", "other-1", "first"]
    others()
    assert await windows.snapshot() == applied.after
    assert ids_of(await windows.ledger()) == ["mine", "other-1", "first"]


async def test_a_refused_write_leaves_the_snapshot_as_it_was(
    windows: Face, store: MemoryStore, others: Callable[[], None]
) -> None:
    before = await windows.snapshot()
    others()
    store.apply("w", halting, instant=NOON)
    with pytest.raises(Refused):
        await windows.apply(trade("mine"), asks=Asking())
    assert await windows.snapshot() == before
    assert ids_of(await windows.ledger()) == ["first"]
    await windows.apply(trade("no slot needed"))
    assert (await windows.snapshot()).state["halt"] == {"reason": "lunch"}


async def test_keys_reach_the_store(windows: Face, store: MemoryStore) -> None:
    first = await windows.apply(trade("mine"), key=KEY)
    again = await windows.apply(never, key=KEY)
    assert (first.replayed, again.replayed, again.answer) == (False, True, "2025-03-03T12:00:00+00:00")
    with pytest.raises(KeyReused):
        await windows.apply(never, key=IdempotencyKey(endpoint="POST /trades", value="key-1", fingerprint="body-2"))
    assert store.snapshot("w").sequence == 2


async def test_a_window_that_the_request_makes_is_its_snapshot(clock: FrozenClock, face_of: Any) -> None:
    store = MemoryStore()
    windows: Face = face_of(LivePorts(store=store, clock=clock).for_request())
    with pytest.raises(UnknownWindow):
        await windows.snapshot()
    with pytest.raises(UnknownWindow):
        await windows.ledger()
    created = await windows.create()
    assert (created.config, created.sequence) == (CONFIG, 0)
    store.apply("w", trade("other"), instant=NOON)
    assert await windows.snapshot() == created
    assert await windows.ledger() == LedgerPage(entries=(), sequence=0)


# What time did


async def test_a_request_sees_a_window_as_it_is_at_its_instant(
    windows: Face, store: MemoryStore, clock: FrozenClock
) -> None:
    permit = permit_of("p-1", deadline="2025-03-03T12:01:00.000000Z")
    halt = {"reason": "lunch", "until": "2025-03-03T12:01:00.000000Z"}
    store.apply("w", reserved(permit), instant=NOON)
    store.apply("w", with_outcome(answer=None, halt=halt, symbol_halts={"BTC-USD": halt}), instant=NOON)
    stored = store.snapshot("w")
    clock.step(timedelta(minutes=1))

    seen = await windows.snapshot()
    assert (seen.state["trades_today"], seen.state["halt"]) == (0, None)
    assert "permits" not in seen.state
    assert "symbol_halts" not in seen.state
    assert seen._replace(state=stored.state) == stored
    assert store.snapshot("w") == stored
    assert ids_of(await windows.ledger()) == ["first"]


async def test_a_request_of_an_earlier_instant_sees_no_end(windows: Face, store: MemoryStore) -> None:
    store.apply("w", reserved(permit_of("p-1", deadline="2025-03-03T12:00:00.000001Z")), instant=NOON)
    assert await windows.snapshot() == store.snapshot("w")
    assert (await windows.snapshot()).state["trades_today"] == 1


async def test_the_instant_of_what_time_did_is_the_request_s_and_not_the_clock_s(
    windows: Face, ports: Ports, store: MemoryStore, clock: FrozenClock
) -> None:
    ports.instant()
    store.apply("w", reserved(permit_of("p-1", deadline="2025-03-03T12:00:01.000000Z")), instant=NOON)
    clock.step(timedelta(hours=1))
    assert (await windows.snapshot()).state["trades_today"] == 1
    assert (await windows.apply(trade("mine"))).after.state["trades_today"] == 2


async def test_a_window_that_a_request_finds_when_it_would_make_it_is_as_of_its_instant(
    windows: Face, store: MemoryStore, clock: FrozenClock
) -> None:
    store.apply("w", reserved(permit_of("p-1", deadline="2025-03-03T12:01:00.000000Z")), instant=NOON)
    clock.step(timedelta(minutes=1))
    assert (await windows.create()).state["trades_today"] == 0


async def test_the_windows_are_those_of_the_store(ports: Ports, store: MemoryStore) -> None:
    store.create("v", CONFIG)
    assert ports.windows.window_ids() == await ports.windows.window_ids_async() == ("v", "w")
    assert ports.windows.window_ids(after="v") == await ports.windows.window_ids_async(after="v") == ("w",)
    assert ports.windows.window_ids(limit=1) == await ports.windows.window_ids_async(limit=1) == ("v",)


# How they travel


def test_ports_travel_in_the_scope_s_state(ports: Ports) -> None:
    assert SCOPE_KEY == "ports"
    assert ports_of_scope({"type": "http", "state": {"ports": ports}}) is ports


@pytest.mark.parametrize("scope", [{}, {"state": {}}, {"state": {"ports": None}}, {"state": {"ports": "red, tawny"}}])
def test_a_scope_may_carry_none(scope: dict[str, Any]) -> None:
    assert ports_of_scope(scope) is None


def test_live_ports_have_the_machine_s_clock_and_ids_unless_given(store: MemoryStore) -> None:
    before = datetime.now(UTC)
    ports = LivePorts(store=store).for_request()
    assert before <= ports.instant() <= datetime.now(UTC)
    assert ports.new_id("trade") != ports.new_id("trade")


def test_what_is_closed_are_the_services_that_can_be_and_then_the_store_whatever_fails() -> None:
    closed: list[str] = []

    class Held:
        def __init__(self, name: str) -> None:
            self._name = name

        def close(self) -> None:
            closed.append(self._name)
            if self._name == "broken":
                raise OSError("the line is cut")

    class Store(MemoryStore):
        def close(self) -> None:
            closed.append("store")

    services = {"broker": Held("broken"), "notifier": object(), "market": Held("market")}
    with pytest.raises(OSError, match="the line is cut"):
        LivePorts(store=Store(), services=services).close()

    assert (set(closed), closed[-1]) == ({"broken", "market", "store"}, "store")


def test_an_instant_is_in_utc_whatever_zone_the_clock_tells_it_in() -> None:
    class Karachi:
        def now(self) -> datetime:
            return datetime(2025, 3, 3, 12, tzinfo=timezone(timedelta(hours=5)))

    ports = LivePorts(store=MemoryStore(), clock=Karachi()).for_request()

    assert ports.instant().isoformat() == "2025-03-03T07:00:00+00:00"


def test_a_naive_clock_is_refused() -> None:
    class Naive:
        def now(self) -> datetime:
            return datetime(2025, 3, 3, 12)  # noqa: DTZ001 - that is the point

    with pytest.raises(ValueError, match="not aware"):
        LivePorts(store=MemoryStore(), clock=Naive()).for_request().instant()

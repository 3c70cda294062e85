"""A request runs on recording ports as on live ones; what it did is noted."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import KeyReused, Refused, StoreUnavailable, UnknownWindow
from shared.outbound import UnknownService
from shared.ports import LivePorts
from shared.recording import Recording, record
from shared.store.base import LedgerQuery
from shared.window import Asking, Outcome, WindowState
from shared.window_config import WindowConfig
from tests.shared.recorded import NOON, Face, World, ids_of
from tests.shared.store.helpers import key, permit_of, raising, reserved, trade, trade_within_limit, with_outcome

NOTHING: dict[str, Any] = {"windows": {}, "ledger": {}, "calls": []}
CONFIG_JSON = {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}


class Broker:
    def __init__(self) -> None:
        self.placed: list[str] = []

    def place(self, symbol: str, quantity: Any) -> dict[str, Any]:
        self.placed.append(f"{symbol} {quantity}")
        return {"order": len(self.placed)}

    async def price_async(self, symbol: str) -> str:
        return f"price of {symbol}"

    def price(self, symbol: str) -> str:
        return f"price of {symbol}"

    def reject(self) -> None:
        raise ConnectionError("the broker hung up")

    async def only_async(self) -> None:
        pass


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def world(broker: Broker) -> World:
    return World(services={"broker": broker})


@pytest.fixture(params=["blocking", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "awaited")


async def begin(world: World, *, awaited: bool) -> tuple[Face, Recording]:
    ports, recording = await world.record()
    return Face(ports, awaited=awaited), recording


# The request is served as it would be


async def test_reads_and_writes_go_to_the_live_store(world: World, awaited: bool) -> None:
    request, _ = await begin(world, awaited=awaited)
    before = await request.snapshot()
    applied = await request.apply(trade("a"))
    assert (before.sequence, applied.answer, applied.after.sequence) == (0, {"trades_today": 1}, 1)
    assert ids_of(await request.ledger()) == ["a"]
    assert ids_of(world.store.ledger("default", LedgerQuery())) == ["a"]


async def test_the_instant_is_the_one_of_the_first_touch(world: World) -> None:
    ports, recording = await world.record()
    world.clock.step(timedelta(minutes=1))
    assert ports.instant().isoformat() == "2025-03-03T12:01:00+00:00"
    assert recording.instant == ports.instant()


async def test_a_request_that_never_asks_for_the_time_is_noted_with_that_of_its_start(world: World) -> None:
    _, recording = await world.record()
    world.clock.step(timedelta(minutes=1))
    assert recording.instant == NOON


async def test_the_snapshot_is_the_one_of_the_first_touch_not_of_the_start(world: World, awaited: bool) -> None:
    request, recording = await begin(world, awaited=awaited)
    world.others(trade("other"))
    assert (await request.snapshot()).sequence == 1
    notes = recording.windows["default"]
    assert (notes.start and notes.start.sequence, [sight.sequence for sight in notes.snapshots]) == (0, [1])  # type: ignore[union-attr]


async def test_errors_are_the_store_s_own(world: World, awaited: bool) -> None:
    request, _ = await begin(world, awaited=awaited)
    error = world.breakable.error = StoreUnavailable("it is away")
    for call in (request.snapshot(), request.apply(trade()), request.ledger(), request.create("w")):
        with pytest.raises(StoreUnavailable) as caught:
            await call
        assert caught.value is error
    world.breakable.error = None
    with pytest.raises(UnknownWindow):
        await request.snapshot("nowhere")
    assert (await request.snapshot()).sequence == 0


async def test_a_store_that_fails_at_the_start_is_not_the_request_s_trouble(world: World, awaited: bool) -> None:
    world.breakable.error = RuntimeError("it is broken")
    request, _ = await begin(world, awaited=awaited)
    world.breakable.error = None
    assert (await request.apply(trade("a"))).answer == {"trades_today": 1}


async def test_a_clock_that_fails_at_the_start_is_not_the_request_s_trouble(world: World) -> None:
    class Broken:
        def now(self) -> datetime:
            raise OSError("no clock")

    ports = LivePorts(store=world.store, clock=Broken()).for_request()
    recording = await record(ports)
    assert recording.instant is None
    with pytest.raises(OSError, match="no clock"):
        ports.instant()


async def test_refusals_and_faults_of_a_transition_come_through(world: World, awaited: bool) -> None:
    request, recording = await begin(world, awaited=awaited)
    fault = KeyError("price")
    with pytest.raises(KeyError) as caught:
        await request.apply(raising(fault))
    assert caught.value is fault
    world.others(with_outcome(answer=None, halt={"reason": "lunch"}))
    with pytest.raises(Refused, match="halted: lunch"):
        await request.apply(trade(), asks=Asking())
    assert recording.effects() == NOTHING


async def test_what_was_touched_before_is_kept_and_noted(world: World) -> None:
    ports = world.live.for_request()
    ports.instant()
    ports.windows.snapshot("default")
    world.clock.step(timedelta(minutes=1))
    world.others(trade("other"))
    recording = await record(ports)
    assert (ports.instant(), recording.instant) == (NOON, NOON)
    assert ports.windows.snapshot("default").sequence == 0
    assert [sight.sequence for sight in recording.windows["default"].snapshots] == [0]  # type: ignore[union-attr]


async def test_a_handler_may_do_what_it_likes_with_its_dictionaries(world: World, awaited: bool) -> None:
    def careless(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[dict[str, Any]]:
        state["trades_today"] += 7
        return trade("a")(config, state, instant)

    request, recording = await begin(world, awaited=awaited)
    (await request.snapshot()).state["trades_today"] = 99
    applied = await request.apply(careless, key=key())
    applied.after.state["trades_today"] = 99
    applied.answer["trades_today"] = 99
    applied.entries[0].data["id"] = "changed"  # type: ignore[index]
    notes = recording.windows["default"]
    assert notes.snapshots[0].state["trades_today"] == 0  # type: ignore[union-attr]
    assert [note.found and note.found.state["trades_today"] for note in notes.applies] == [0]
    assert recording.effects()["windows"]["default"]["state"]["trades_today"] == 8
    assert recording.effects()["ledger"]["default"][0]["data"] == {"id": "a"}
    assert recording.effects()["ledger"]["default"][0]["key"]["answer"] == {"trades_today": 8}


# What it leaves


async def test_a_read_leaves_nothing(world: World, awaited: bool) -> None:
    request, recording = await begin(world, awaited=awaited)
    await request.snapshot()
    await request.ledger()
    assert await request.read("broker", "price", symbol="BTC") == "price of BTC"
    assert recording.effects() == NOTHING


async def test_a_write_leaves_its_window_and_its_entries(world: World, awaited: bool) -> None:
    request, recording = await begin(world, awaited=awaited)
    await request.apply(trade("a", symbol="BTC"), key=key("key-7", body="body-7"))
    await request.apply(trade("b"))
    assert recording.effects() == {
        "windows": {
            "default": {
                "config": CONFIG_JSON,
                "state": {
                    "trade_day": "2025-03-03",
                    "trades_today": 2,
                    "halt": None,
                    "tally": {"symbol": {}, "side": {}, "strategy": {}},
                    "last_trades": {"*": "2025-03-03T12:00:00.000000Z", "BTC": "2025-03-03T12:00:00.000000Z"},
                },
            }
        },
        "ledger": {
            "default": [
                {
                    "id": "a",
                    "kind": "trade",
                    "trade_day": "2025-03-03",
                    "symbol": "BTC",
                    "subject": None,
                    "data": {"id": "a"},
                    "key": {
                        "endpoint": "POST /trades",
                        "value": "key-7",
                        "fingerprint": "body-7",
                        "answer": {"trades_today": 1},
                    },
                },
                {
                    "id": "b",
                    "kind": "trade",
                    "trade_day": "2025-03-03",
                    "symbol": None,
                    "subject": None,
                    "data": {"id": "b"},
                    "key": None,
                },
            ]
        },
        "calls": [],
    }


async def test_what_time_did_is_left_with_the_write_that_found_it(world: World, awaited: bool) -> None:
    permit = permit_of("p-1", deadline="2025-03-03T12:00:00.000000Z")
    world.others(reserved(permit), instant=NOON - timedelta(minutes=1))
    request, recording = await begin(world, awaited=awaited)
    await request.snapshot()
    await request.apply(trade("a"), key=key())
    effects = recording.effects()
    assert [
        (entry["id"], entry["subject"], entry["key"] and entry["key"]["value"])
        for entry in effects["ledger"]["default"]
    ] == [
        ("p-1-expired", "p-1", None),
        ("a", None, "key-1"),
    ]
    assert effects["windows"]["default"]["state"] == {
        "trade_day": "2025-03-03",
        "trades_today": 1,
        "halt": None,
        "tally": {"symbol": {}, "side": {}, "strategy": {}},
        "last_trades": {"*": "2025-03-03T12:00:00.000000Z"},
    }
    [note] = recording.windows["default"].applies
    # It is done again in a replay, and so noted as it was before.
    assert note.found is not None
    assert note.found.state["permits"] == {"p-1": permit}


async def test_a_refusal_leaves_nothing_of_what_time_did(world: World, awaited: bool) -> None:
    world.others(
        reserved(permit_of("p-1", deadline="2025-03-03T12:00:00.000000Z")), instant=NOON - timedelta(minutes=1)
    )
    request, recording = await begin(world, awaited=awaited)
    with pytest.raises(LookupError):
        await request.apply(raising(LookupError("no")))
    assert recording.effects() == NOTHING


async def test_a_day_that_turns_is_left_in_front_of_the_trade(world: World, awaited: bool) -> None:
    world.others(trade("yesterday", day="2025-03-02"))
    request, recording = await begin(world, awaited=awaited)
    await request.apply(trade("a"), key=key())
    left = recording.effects()["ledger"]["default"]
    assert [(entry["id"], entry["key"] is None) for entry in left] == [("day-2025-03-03", True), ("a", False)]
    assert left[0]["data"] == {"before": "2025-03-02", "after": "2025-03-03", "trades": 1}


async def test_the_list_of_windows_is_the_store_s(world: World, awaited: bool) -> None:
    world.store.create("another", WindowConfig())
    ports, recording = await world.record()
    found = await ports.windows.window_ids_async() if awaited else ports.windows.window_ids()
    assert found == ("another", "default")
    assert ports.windows.window_ids(after="another", limit=1) == ("default",)
    assert recording.effects() == NOTHING


async def test_what_wrote_nothing_leaves_nothing(world: World, awaited: bool) -> None:
    world.store.apply("default", trade("kept"), instant=NOON, key=key())
    request, recording = await begin(world, awaited=awaited)
    await request.apply(with_outcome(answer=None))
    assert (await request.apply(trade("again"), key=key())).replayed
    with pytest.raises(KeyReused):
        await request.apply(trade("other"), key=key(body="another"))
    world.others(with_outcome(answer=None, trades_today=5))
    with pytest.raises(Refused):
        await request.apply(trade_within_limit("a"))
    assert recording.effects() == NOTHING


async def test_a_window_that_was_made_is_left_and_a_known_one_is_not(world: World, awaited: bool) -> None:
    request, recording = await begin(world, awaited=awaited)
    await request.create("default", WindowConfig(max_trades_per_day=1))
    assert recording.effects() == NOTHING
    await request.create("w", WindowConfig(max_trades_per_day=1))
    assert recording.effects()["windows"] == {
        "w": {
            "config": {**CONFIG_JSON, "max_trades_per_day": 1},
            "state": {"trade_day": None, "trades_today": 0, "halt": None},
        }
    }


# Services


async def test_calls_with_an_effect_are_left_in_their_order(world: World, broker: Broker, awaited: bool) -> None:
    request, recording = await begin(world, awaited=awaited)
    assert await request.effect("broker", "place", symbol="BTC", quantity=Decimal("0.50")) == {"order": 1}
    with pytest.raises(ConnectionError, match="hung up"):
        await request.effect("broker", "reject")
    assert broker.placed == ["BTC 0.50"]
    assert recording.effects() == {
        **NOTHING,
        "calls": [
            {"port": "broker", "method": "place", "arguments": {"symbol": "BTC", "quantity": "0.50"}},
            {"port": "broker", "method": "reject", "arguments": {}},
        ],
    }


@pytest.mark.parametrize(("port", "method"), [("bank", "pay"), ("broker", "pay"), ("broker", "__class__")])
async def test_an_unknown_service_is_named(world: World, awaited: bool, port: str, method: str) -> None:
    request, _ = await begin(world, awaited=awaited)
    sentence = f"no service '{port}' with a method '{method}': the services are broker"
    for call in (request.effect(port, method), request.read(port, method)):
        with pytest.raises(UnknownService) as caught:
            await call
        assert str(caught.value) == sentence


async def test_the_blocking_face_can_t_call_what_is_async(world: World) -> None:
    ports, _ = await world.record()
    with pytest.raises(TypeError, match=r"broker\.only_async is async"):
        ports.outbound.effect("broker", "only_async")
    assert await ports.outbound.effect_async("broker", "only") is None


async def test_without_services_there_are_none() -> None:
    with pytest.raises(UnknownService, match="the services are none"):
        LivePorts(store=World().store).for_request().outbound.read("market", "price")


# The notes as JSON


async def test_the_notes_are_json_and_come_back_equal(world: World, awaited: bool) -> None:
    world.others(trade("first"))
    request, recording = await begin(world, awaited=awaited)
    await request.snapshot()
    await request.ledger()
    await request.apply(trade("a"), key=key())
    await request.effect("broker", "place", symbol="BTC", quantity=1)
    with pytest.raises(UnknownWindow):
        await request.snapshot("nowhere")
    world.breakable.error = StoreUnavailable("it is away")
    with pytest.raises(StoreUnavailable):
        await request.apply(trade("b"))
    text = json.dumps(recording.to_json())
    back = Recording.from_json(json.loads(text))
    assert json.dumps(back.to_json()) == text
    assert back.effects() == recording.effects()
    assert str(back.windows["default"].applies[1].error) == "the store can't answer: it is away"


async def test_a_naive_clock_is_refused_as_without_a_recording(world: World) -> None:
    class Naive:
        def now(self) -> datetime:
            return datetime(2025, 3, 3, 12)  # noqa: DTZ001 - that is the point

    ports = LivePorts(store=world.store, clock=Naive()).for_request()
    recording = await record(ports)
    with pytest.raises(ValueError, match="not aware"):
        ports.instant()
    assert Recording.from_json(recording.to_json()).instant == datetime(2025, 3, 3, 12)  # noqa: DTZ001

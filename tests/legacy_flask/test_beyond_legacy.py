"""A config that the old arithmetic doesn't know: the old side judges nothing by it, and says so."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from legacy_flask.app import create_app
from legacy_flask.trading_window import TradingWindow
from shared.clock import FrozenClock
from shared.errors import ConfigBeyondLegacy, Refused
from shared.ids import FrozenIds
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore
from shared.window_config import WindowConfig
from shared.wire import ConfigChange, TradeRequest
from tests.fakes.bot import bot_service
from tests.shared.store.helpers import permit_of, reserved, with_outcome

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
TRADE = TradeRequest(symbol="BTC-USD", side="buy", quantity=Decimal("0.50"), price=Decimal("64250.10"))
BODY = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10"}
PATH = "/api/trading-window"

BEYOND: dict[str, dict[str, Any]] = {
    "intervals": {"intervals": [{"start": "09:00", "end": "17:30"}]},
    "calendar": {"calendar": "XSTO"},
    "blackouts": {
        "blackouts": [{"start": "2025-03-03T10:00:00Z", "end": "2025-03-03T11:00:00Z", "reason": "news"}],
    },
    "weekly_blackouts": {"weekly_blackouts": [{"start": "16:55", "end": "17:05", "reason": "rollover"}]},
    "day_turns_at": {"day_turns_at": "17:00"},
    "day_timezone": {"day_timezone": "America/New_York"},
    "symbol_limits": {"symbol_limits": {"BTC-USD": 1}},
    "side_limits": {"side_limits": {"sell": 1}},
    "strategy_limits": {"strategy_limits": {"*": 1}},
    "cooldown_seconds": {"cooldown_seconds": 1},
    "symbol_cooldown_seconds": {"symbol_cooldown_seconds": 1},
}
KNOWN: dict[str, dict[str, Any]] = {
    "legacy keys": {"start_hour": 9, "end_hour": 17, "max_trades_per_day": 5, "timezone": "Europe/Stockholm"},
    "permit keys": {"permit_seconds": 5, "in_doubt_after_seconds": 5, "confirm_while_halted": False},
    "defaults written down": {"calendar": None, "intervals": [], "cooldown_seconds": 0, "day_turns_at": "00:00"},
}

each_beyond = pytest.mark.parametrize(("key", "config"), BEYOND.items(), ids=BEYOND)
each_known = pytest.mark.parametrize("config", KNOWN.values(), ids=KNOWN)


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.live_ports = LivePorts(
            store=self.store, clock=FrozenClock(NOON), ids=FrozenIds(), services={"bot": bot_service()}
        )

    def window(self, config: dict[str, Any] | None = None) -> TradingWindow:
        """For one request. The first one's config is the window's."""
        self.store.create("default", WindowConfig.parse(config or {}))
        return TradingWindow({}, ports=self.live_ports.for_request())

    def client(self, config: dict[str, Any] | None = None) -> FlaskClient:
        self.store.create("default", WindowConfig.parse(config or {}))
        return create_app(Settings(), live_ports=self.live_ports).test_client()

    def ledger_ids(self) -> list[str]:
        return [entry.id for entry in self.store.ledger("default", LedgerQuery()).entries]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@each_beyond
def test_it_judges_nothing(bench: Bench, key: str, config: dict[str, Any]) -> None:
    bench.window(config)
    calls: tuple[Callable[[TradingWindow], object], ...] = (
        TradingWindow.is_within_window,
        TradingWindow.can_trade,
        TradingWindow.get_config,
        lambda window: window.try_register_trade(TRADE),
        lambda window: window.update_config(ConfigChange(end_hour=12)),
    )
    before = bench.store.snapshot("default")
    for call in calls:
        with pytest.raises(ConfigBeyondLegacy) as caught:
            call(bench.window())
        assert caught.value.keys == (key,)
    assert bench.store.snapshot("default") == before
    assert bench.ledger_ids() == []


def test_the_keys_are_named_in_one_order(bench: Bench) -> None:
    window = bench.window({"cooldown_seconds": 5, "permit_seconds": 5, "end_hour": 9, "calendar": "XSTO"})
    with pytest.raises(ConfigBeyondLegacy) as caught:
        window.can_trade()
    assert caught.value.keys == ("calendar", "cooldown_seconds")


@each_known
def test_what_concerns_permits_alone_is_no_hindrance(bench: Bench, config: dict[str, Any]) -> None:
    window = bench.window(config)
    assert window.is_within_window()
    assert window.can_trade()
    assert window.try_register_trade(TRADE)["trades_today"] == 1
    assert set(bench.window().get_config()) == {"start_hour", "end_hour", "max_trades_per_day", "timezone"}
    assert bench.window().update_config(ConfigChange(max_trades_per_day=9))["max_trades_per_day"] == 9


def test_a_fact_is_counted_whatever_the_rules(bench: Bench) -> None:
    bench.window({"cooldown_seconds": 5, "calendar": "XSTO"}).register_trade()
    assert bench.store.snapshot("default").state["trades_today"] == 1


def test_a_change_leaves_the_keys_that_it_does_not_show(bench: Bench) -> None:
    bench.window({"permit_seconds": 5}).update_config(ConfigChange(max_trades_per_day=9))
    assert bench.store.snapshot("default").config.permit_seconds == 5


SENTENCE = {"error": "the window's config needs the new side, for the old one doesn't know: symbol_limits"}


def test_over_http_it_is_a_503_and_nothing_is_counted(bench: Bench) -> None:
    client = bench.client({"symbol_limits": {"BTC-USD": 1}})
    before = bench.store.snapshot("default")
    answers = [
        *(client.get(f"{PATH}/{name}") for name in ("can-trade", "within-window", "config")),
        client.get("/api/status"),
        client.post(f"{PATH}/trades", json=BODY),
        client.post(f"{PATH}/trades", json=BODY, headers={"Idempotency-Key": "order-1"}),
        client.put(f"{PATH}/config", json={"end_hour": 12}),
    ]
    assert [(answer.status_code, answer.json) for answer in answers] == [(503, SENTENCE)] * 7
    assert bench.store.snapshot("default") == before
    assert bench.ledger_ids() == []


def test_over_http_what_judges_nothing_is_answered(bench: Bench) -> None:
    client = bench.client({"symbol_limits": {"BTC-USD": 1}})
    assert client.get("/api/health").status_code == 200
    assert client.get(f"{PATH}/trades").json == {"trades": [], "count": 0}


def test_over_http_a_key_that_was_answered_is_answered_again(bench: Bench) -> None:
    client = bench.client()
    keyed = {"json": BODY, "headers": {"Idempotency-Key": "order-1"}}
    first = client.post(f"{PATH}/trades", **keyed)
    bench.store.apply(
        "default",
        lambda config, state, _: with_outcome(answer=None)(config.changed({"calendar": "XSTO"}), state, NOON),
        instant=NOON,
    )
    again = client.post(f"{PATH}/trades", **keyed)
    assert (first.status_code, again.status_code, again.data) == (201, 201, first.data)
    assert client.post(f"{PATH}/trades", json=BODY).status_code == 503
    assert bench.ledger_ids() == ["trade-1"]


def test_the_halt_of_a_symbol_refuses_that_symbol(bench: Bench) -> None:
    bench.window()
    bench.store.apply("default", with_outcome(answer=None, symbol_halts={"BTC-USD": {"reason": "fork"}}), instant=NOON)
    with pytest.raises(Refused, match=r"^halted: fork$") as caught:
        bench.window().try_register_trade(TRADE)
    [reason] = caught.value.reasons
    assert (reason.code, reason.bound) == ("HALTED", "BTC-USD")
    client = bench.client()
    refused = client.post(f"{PATH}/trades", json=BODY)
    assert (refused.status_code, refused.json) == (403, {"error": "halted: fork"})
    assert client.post(f"{PATH}/trades", json={**BODY, "symbol": "ETH-USD"}).status_code == 201


def test_a_halt_with_an_end_refuses_until_then(bench: Bench) -> None:
    bench.window()
    for until, status in (("2025-03-03T12:00:00.000001Z", 403), ("2025-03-03T12:00:00.000000Z", 201)):
        bench.store.apply("default", with_outcome(answer=None, halt={"reason": "lunch", "until": until}), instant=NOON)
        assert bench.client().post(f"{PATH}/trades", json=BODY).status_code == status
    assert bench.ledger_ids() == ["trade-2", "halt-*-2025-03-03T12:00:00.000000Z"]


def test_slots_that_permits_hold_are_counted_until_they_are_given_back(bench: Bench) -> None:
    bench.window({"max_trades_per_day": 2})
    pending = permit_of("p-1", deadline="2025-03-03T12:00:01.000000Z")
    over = permit_of("p-2", deadline="2025-03-03T12:00:00.000000Z")
    sent = permit_of("p-3", status="sent", deadline="2025-03-03T12:00:00.000000Z")
    earlier = NOON.replace(hour=11)

    bench.store.apply("default", reserved(pending, sent), instant=earlier)
    assert not bench.window().can_trade()
    with pytest.raises(Refused, match="daily trade limit of 2 reached"):
        bench.window().try_register_trade(TRADE)

    bench.store.apply("default", reserved(pending, over), instant=earlier)
    assert bench.window().can_trade()
    assert bench.window().try_register_trade(TRADE)["remaining_trades"] == 0
    assert bench.ledger_ids() == ["trade-2", "p-2-expired"]

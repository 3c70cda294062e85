"""No divergence is missed: whatever is wrong with the native side, shadow traffic alone reports it, says where, and no
client notices."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.store.base import CountKey
from legacy_flask.backtest import run_backtest
from shared.modes import EndpointMode, Mode
from shared.store.base import Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from tests.parity.arms import Leftovers, World
from tests.parity.case import Answer, Case, Event, Request
from tests.parity.divergences import bot, order_traffic, traffic
from tests.parity.divergences.answers import ANSWERS
from tests.parity.divergences.backtest import BACKTEST
from tests.parity.divergences.bot import BOT
from tests.parity.divergences.broker import BROKER
from tests.parity.divergences.calls import CALLS
from tests.parity.divergences.conditions import CONDITIONS
from tests.parity.divergences.ledger_reads import LEDGER_READS
from tests.parity.divergences.market import MARKET
from tests.parity.divergences.orders import Call, Outside, add_orders_to_legacy, add_orders_to_native, place_order
from tests.parity.divergences.requests import REQUESTS
from tests.parity.divergences.rules import RULES
from tests.parity.divergences.seeding import Divergence, Native
from tests.parity.divergences.traffic import MAX_BODY_BYTES
from tests.parity.divergences.unnoticeable import UNNOTICEABLE
from tests.parity.divergences.writes import WRITES
from tests.parity.endpoints import BOTH_SIDES
from tests.parity.product import Product, running_product, told

DIVERGENCES = [
    *ANSWERS,
    *REQUESTS,
    *CONDITIONS,
    *RULES,
    *LEDGER_READS,
    *MARKET,
    *BACKTEST,
    *BROKER,
    *BOT,
    *WRITES,
    *CALLS,
]
ON_SQLITE = [*RULES[:2], *LEDGER_READS[:2], *WRITES[:4]]


@dataclass(frozen=True, eq=False)
class Traffic:
    """Requests, and what is there before the first of them."""

    before: Case
    steps: Sequence[tuple[Request, int] | Event]

    @property
    def request_count(self) -> int:
        return sum(isinstance(step, tuple) for step in self.steps)


WINDOW_TRAFFIC = Traffic(traffic.BEFORE, traffic.TRAFFIC)
ORDER_TRAFFIC = Traffic(order_traffic.BEFORE, order_traffic.TRAFFIC)
BOT_TRAFFIC = Traffic(bot.BEFORE, bot.TRAFFIC)
ALL_TRAFFIC = (WINDOW_TRAFFIC, ORDER_TRAFFIC, BOT_TRAFFIC)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with running_product(max_body_bytes=MAX_BODY_BYTES) as product:
        add_orders_to_legacy(product.app.legacy)
        yield product


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What clients see, what is left, and which services were called."""

    answers: Sequence[Answer]
    left: Leftovers
    calls: Sequence[Call]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    counts: Counter[CountKey]
    mismatches: Sequence[Mismatch]


@pytest.fixture(scope="module")
def usual(product: Product) -> Mapping[Traffic, Seen]:
    """Without a comparison."""
    found = {each: _run(product, each, MemoryStore(), "legacy") for each in ALL_TRAFFIC}
    for each, (seen, compared) in found.items():
        assert [answer.status for answer in seen.answers] == [step[1] for step in each.steps if isinstance(step, tuple)]
        assert not compared.counts
    return {each: seen for each, (seen, _) in found.items()}


def _run(product: Product, sent: Traffic, store: Store, mode: Mode) -> tuple[Seen, Found]:
    return product.loop.run(_send(product, sent, store, mode))


async def _send(product: Product, sent: Traffic, store: Store, mode: Mode) -> tuple[Seen, Found]:
    outside = Outside()
    # On the old bot: the new one goes by the native rules, which are seeded, and both sides' clients would see it.
    world = World(sent.before, store, services=outside.services(), backtest=run_backtest)
    await product.move(dict.fromkeys(BOTH_SIDES, EndpointMode(mode=mode)))
    answers: list[Answer] = []
    for step in sent.steps:
        if isinstance(step, tuple):
            answer, side = await product.ask(world, step[0])
            assert side == "legacy"
            answers.append(answer)
        else:
            # So that no comparison reads the ledger of a store that fails by then.
            await product.app.cutover.settled()
            world.meet(step)
    counts, mismatches = await product.found()
    return Seen(answers=answers, left=world.left(), calls=outside.calls), Found(counts=counts, mismatches=mismatches)


def _native(product: Product, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Native:
    native = Native(product.app.native, endpoint, monkeypatch, place_order)
    add_orders_to_native(native)
    return native


def _traffic_for(divergence: Divergence) -> Traffic:
    if divergence in BOT:
        return BOT_TRAFFIC
    return ORDER_TRAFFIC if divergence in BROKER else WINDOW_TRAFFIC


def _name(divergence: Divergence) -> str:
    return divergence.name


@pytest.mark.parametrize("divergence", DIVERGENCES, ids=_name)
def test_it_is_found_and_no_client_notices(
    divergence: Divergence, product: Product, usual: Mapping[Traffic, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    _check(divergence, product, MemoryStore(), usual, monkeypatch)


@pytest.mark.parametrize("divergence", ON_SQLITE, ids=_name)
def test_it_is_found_on_sqlite(
    divergence: Divergence,
    product: Product,
    usual: Mapping[Traffic, Seen],
    monkeypatch: pytest.MonkeyPatch,
    empty_file: Path,
    tmp_path: Path,
) -> None:
    store = SQLiteStore(shutil.copy(empty_file, tmp_path / "state.sqlite3"))
    try:
        _check(divergence, product, store, usual, monkeypatch)
    finally:
        store.close()


def _check(
    divergence: Divergence,
    product: Product,
    store: Store,
    usual: Mapping[Traffic, Seen],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = _traffic_for(divergence)
    divergence.seed(_native(product, divergence.endpoint, monkeypatch))
    seen, found = _run(product, sent, store, "shadow")

    assert seen == usual[sent]
    where = {
        name: {difference.path for one in found.mismatches if one.endpoint == name for difference in one.differences}
        for name in {one.endpoint for one in found.mismatches}
    }
    assert where.keys() == divergence.shows.keys(), told(found.mismatches)
    assert all(where[name] >= paths for name, paths in divergence.shows.items()), where
    for one in found.mismatches:
        assert divergence.shows[one.endpoint] & {difference.path for difference in one.differences}, told([one])
    if divergence.times is not None:
        assert len(found.mismatches) == divergence.times, told(found.mismatches)
    by_outcome = Counter(dict.fromkeys(("match", "mismatch"), 0))
    for key, count in found.counts.items():
        by_outcome[key.outcome] += count
    mismatches = len(found.mismatches)
    assert by_outcome == {"match": sent.request_count - mismatches, "mismatch": mismatches}


@pytest.mark.parametrize("divergence", [None, *UNNOTICEABLE], ids=lambda one: one.name if one else "nothing")
def test_what_no_client_can_notice_is_a_match(
    divergence: Divergence | None,
    product: Product,
    usual: Mapping[Traffic, Seen],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = _native(product, divergence.endpoint if divergence else "", monkeypatch)
    if divergence is not None:
        divergence.seed(native)
    for sent in ALL_TRAFFIC:
        seen, found = _run(product, sent, MemoryStore(), "shadow")

        assert seen == usual[sent]
        assert not found.mismatches, told(found.mismatches)
        assert {key.outcome for key in found.counts} == {"match"}
        assert found.counts.total() == sent.request_count


def test_there_are_enough_with_names_of_their_own() -> None:
    names = [divergence.name for divergence in (*DIVERGENCES, *UNNOTICEABLE)]
    assert len(names) == len(set(names))
    assert len(DIVERGENCES) >= 40
    assert {divergence.endpoint for divergence in DIVERGENCES} == set(BOTH_SIDES)

"""Moving endpoints is invisible: whatever is asked, and however the modes change meanwhile, clients get the answers
that they would get from legacy alone, the window is left the same, and no comparison on the way finds a difference."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.store.base import CountKey
from shared.modes import EndpointMode, Mode, Side
from shared.store.base import Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from tests.parity import tour
from tests.parity.arms import Leftovers, World
from tests.parity.case import Answer, Request
from tests.parity.drawn import MAX_BODY_BYTES, NATIVE_ONLY, Drawn, Moved, sequences
from tests.parity.endpoints import BOTH_SIDES, endpoint_of
from tests.parity.product import Product, running_product, told

LEGACY = EndpointMode(mode="legacy")

SIDES: Mapping[Mode, Side] = {"legacy": "legacy", "shadow": "legacy", "verify": "native", "native": "native"}
"""A canary's depends on the client."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two apps that serve all sequences: the endpoints of one are moved, those of the other stay legacy."""

    moved: Product
    legacy: Product


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        running_product(max_body_bytes=MAX_BODY_BYTES) as moved,
        running_product(max_body_bytes=MAX_BODY_BYTES) as legacy,
    ):
        yield Pair(moved, legacy)


# The profile `soak` asks for more than the thousand.
@settings(
    max_examples=max(1_000, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn=sequences)
def test_a_sequence_under_changing_modes_is_answered_as_by_legacy_alone(pair: Pair, drawn: Drawn) -> None:
    _check(pair, drawn, [MemoryStore(), MemoryStore()])


@settings(max_examples=settings().max_examples // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=sequences)
def test_a_sequence_on_sqlite(pair: Pair, empty_file: Path, drawn: Drawn) -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        paths = [shutil.copy(empty_file, Path(folder) / f"{name}.sqlite3") for name in ("moved", "legacy")]
        _check(pair, drawn, [stack.enter_context(closing(SQLiteStore(path))) for path in paths])


@pytest.mark.parametrize(
    "mode",
    [
        *(EndpointMode(mode=name) for name in ("legacy", "shadow", "verify", "native")),
        *(EndpointMode(mode="canary", percent=percent) for percent in (0, 100)),
    ],
    ids=str,
)
def test_in_every_mode_each_endpoint_does_what_it_is_there_for(pair: Pair, mode: EndpointMode) -> None:
    drawn = Drawn(start=tour.START, modes=dict.fromkeys(BOTH_SIDES, mode), steps=tour.REQUESTS)
    played = _check(pair, drawn, [MemoryStore(), MemoryStore()])
    statuses = {endpoint_of(exchange.request): exchange.answer.status for exchange in played.exchanges}
    assert statuses == dict.fromkeys(BOTH_SIDES, 200) | dict.fromkeys(tour.CREATE, 201)
    matches = {key.endpoint: count for key, count in played.counts.items() if key.outcome == "match"}
    assert matches == (dict.fromkeys(BOTH_SIDES, 1) if _compares(mode) else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    request: Request
    mode: EndpointMode | None
    """That of the request's endpoint; None where no endpoint of both sides claims it."""
    answer: Answer
    side: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    exchanges: list[Exchange]
    left: Leftovers
    counts: Counter[CountKey]
    mismatches: Sequence[Mismatch]
    went_by_themselves: set[str]
    """Endpoints that are in another mode than they were moved to."""


def _check(pair: Pair, drawn: Drawn, stores: Sequence[Store]) -> Played:
    moved = pair.moved.loop.run(_play(drawn, pair.moved, stores[0], moves=True))
    legacy = pair.legacy.loop.run(_play(drawn, pair.legacy, stores[1], moves=False))

    assert not moved.mismatches, told(moved.mismatches)
    assert not moved.went_by_themselves
    assert [exchange.answer for exchange in moved.exchanges] == [exchange.answer for exchange in legacy.exchanges]
    assert moved.left == legacy.left
    _check_sides(moved.exchanges)
    _check_sides(legacy.exchanges)
    _check_counts(drawn, moved)
    return moved


async def _play(drawn: Drawn, product: Product, store: Store, *, moves: bool) -> Played:
    world = World(drawn.start, store)
    modes = {**drawn.modes} if moves else dict.fromkeys(BOTH_SIDES, LEGACY)
    await product.move(modes)
    exchanges: list[Exchange] = []
    for step in drawn.steps:
        if isinstance(step, Request):
            answer, side = await product.ask(world, step)
            exchanges.append(Exchange(request=step, mode=modes.get(endpoint_of(step)), answer=answer, side=side))
        elif not isinstance(step, Moved):
            world.meet(step)
        elif moves:
            await product.move(step.modes)
            modes |= step.modes
    counts, mismatches = await product.found()
    in_force = product.app.cutover.store.table().modes
    return Played(
        exchanges=exchanges,
        left=world.left(),
        counts=counts,
        mismatches=mismatches,
        went_by_themselves={name for name in modes if modes[name] != in_force[name]},
    )


def _check_sides(exchanges: Sequence[Exchange]) -> None:
    canary_percents: defaultdict[tuple[str, str | None], list[float]] = defaultdict(list)
    for exchange in exchanges:
        request, mode = exchange.request, exchange.mode
        if mode is None:
            native = unquote(request.path) in NATIVE_ONLY
            assert exchange.side == ("native" if native else "legacy")
        elif mode.percent is None:
            assert exchange.side == SIDES[mode.mode]
        else:
            canary_percents[_client(request), exchange.side].append(mode.percent)
    # A client that native serves at some percent is served by it at every higher one, and at 100; at 0 is nobody.
    for client, _ in list(canary_percents):
        assert max([0, *canary_percents[client, "legacy"]]) < min([100, *canary_percents[client, "native"]])


def _check_counts(drawn: Drawn, moved: Played) -> None:
    """Each comparison that was due has one outcome."""
    assert {(key.endpoint, key.reason) for key in moved.counts if key.outcome != "match"} <= _reasons_to_skip(drawn)
    counted: Counter[tuple[str, Mode]] = Counter()
    for key, count in moved.counts.items():
        counted[key.endpoint, key.mode] += count
    due: Counter[tuple[str, Mode]] = Counter()
    sampled: Counter[tuple[str, Mode]] = Counter()
    for exchange in moved.exchanges:
        if exchange.mode is not None and _compares(exchange.mode):
            compared = (endpoint_of(exchange.request), exchange.mode.mode)
            due[compared] += exchange.mode.sample_rate == 1
            sampled[compared] += exchange.mode.sample_rate < 1
    assert due <= counted <= due + sampled


def _reasons_to_skip(drawn: Drawn) -> set[tuple[str, str]]:
    """Of comparisons that were still in the line, of an endpoint that is to be compared no more."""
    reasons: set[tuple[str, str]] = set()
    for step in drawn.steps:
        if isinstance(step, Moved):
            reasons |= {(name, "stopped") for name, mode in step.modes.items() if not _compares(mode)}
    return reasons


def _compares(mode: EndpointMode) -> bool:
    return mode.mode not in ("legacy", "native") and mode.sample_rate > 0


def _client(request: Request) -> str:
    """What the cutover knows it by."""
    given = dict(request.headers)
    return next(
        (f"{name}: {given[name]}" for name in ("X-Client-Id", "X-API-Key", "Authorization") if name in given), ""
    )

"""Moving an endpoint is invisible: whatever is asked, and whichever side answers each endpoint, clients get the
answers that they would get from legacy alone, and the window is left the same."""

import json
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import StoreUnavailable
from shared.settings import Mode
from shared.store.memory import MemoryStore
from tests.parity.arms import BOTH_SIDES, Leftovers, World, under_modes
from tests.parity.case import (
    JSON,
    Answer,
    At,
    Case,
    HaltedBy,
    MovedTo,
    Request,
    Step,
    StoreFails,
    post_trade,
    put_config,
    trade_of,
)

ZONES = ("UTC", "Europe/Stockholm", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago")
NATIVE_ONLY = ("/api/trading-window", "/api/trading-window/remaining-trades")
ANY_ANSWER = Answer(status=0, body=b"", content_length=None)

# around midnight in the zones above, on days with and without a change of clocks
instants = st.builds(
    lambda start, hours, microseconds: start + timedelta(hours=hours, microseconds=microseconds),
    st.sampled_from(
        [
            datetime(2025, 3, 3, 5, tzinfo=UTC),
            datetime(2025, 3, 9, 5, tzinfo=UTC),
            datetime(2025, 3, 29, 23, tzinfo=UTC),
            datetime(2025, 10, 25, 22, tzinfo=UTC),
            datetime(2024, 12, 31, 23, tzinfo=UTC),
        ]
    ),
    st.integers(-30, 30),
    st.sampled_from([-1, 0, 1, 1_800_000_000]),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["0.50", "1e2"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)

good_trades = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["BTC-USD", "BTC-USD", "ETH-USD"]),
        "side": st.just("buy"),
        "quantity": st.sampled_from(["0.50", "0.50", "0.5", 1]),
        "price": st.just("64250.10"),
    },
    optional={"strategy": st.sampled_from(["rsi", None, "återköp"])},
)
bad_trades = st.dictionaries(
    st.sampled_from(["symbol", "side", "quantity", "price", "strategy", "id", "é"]), json_values, min_size=1
)
trades = good_trades | st.builds(lambda good, bad: {**good, **bad}, good_trades, bad_trades)
config_keys = st.sampled_from(["start_hour", "end_hour", "max_trades_per_day", "timezone"])
config_changes = st.fixed_dictionaries(
    {},
    optional={
        "start_hour": st.integers(0, 23),
        "end_hour": st.integers(0, 24),
        "max_trades_per_day": st.integers(0, 6),
    },
) | st.dictionaries(config_keys, json_values | st.integers(-1, 30), max_size=3)

headers = st.sampled_from(
    [(), (), (), (), (("Content-Type", "text/plain"),), (("Content-Type", "application/vnd.bot+json; a=b"),)]
)
keys = st.sampled_from([None, None, None, "one", "one", "two", "a b"])


def _raw(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


bodies_of_trades = trades.map(_raw) | st.binary(max_size=40)
bodies_of_changes = config_changes.map(_raw) | st.binary(max_size=40)

posts = st.builds(lambda body, extra, key: post_trade(body, *extra, key=key), bodies_of_trades, headers, keys)
good_posts = st.builds(lambda trade, key: post_trade(_raw(trade), key=key), good_trades, keys)
puts = st.builds(lambda body, extra: put_config(body, *extra), bodies_of_changes, headers)

query_values = st.sampled_from(
    ["", "1", "2", "0", "x", "2025-03-03", "2025-03-04", "BTC-USD", "%ff", "%2B1"]
) | st.text(max_size=4).map(quote)
queries = st.lists(
    st.tuples(st.sampled_from(["date", "symbol", "limit", "limit", "other"]), query_values).map("=".join), max_size=3
).map("&".join)
paths = st.sampled_from([name.split(" ")[1] for name in BOTH_SIDES] + [*NATIVE_ONLY])
reads = st.builds(
    lambda method, path, query: Request(method=method, target=f"{path}?{query}" if query else path),
    st.sampled_from(["GET", "GET", "GET", "HEAD"]),
    paths,
    queries,
)
strays = st.builds(
    lambda method, path, tail: Request(
        method=method, target=path + tail, headers=(("Content-Type", JSON), ("Content-Length", "2")), body=b"{}"
    ),
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
    paths | st.sampled_from(["/", "/nowhere", "/static/x"]),
    st.sampled_from(["", "/", "//", "/x", "%20", "?limit=1"]),
)

requests = st.one_of(good_posts, good_posts, good_posts, reads, posts, puts, strays)
asked: st.SearchStrategy[Step] = st.tuples(requests, st.just(ANY_ANSWER))
faults = st.sampled_from([StoreFails(StoreUnavailable("the disk is gone")), StoreFails(RuntimeError("a fault"))])

# what may happen between two requests, or around one
scenes: st.SearchStrategy[tuple[Step, ...]] = st.one_of(
    st.tuples(asked),
    st.tuples(asked, asked, asked),
    st.tuples(instants.map(lambda instant: At(instant.isoformat())), asked, asked),
    st.tuples(st.sampled_from(ZONES).map(MovedTo), asked),
    st.tuples(st.just(HaltedBy("maintenance")), asked, st.just(HaltedBy(None))),
    st.tuples(faults, asked, st.just(StoreFails(None))),
)

cases = st.builds(
    lambda at, config, count, sequence: Case(
        name="drawn",
        at=at.isoformat(),
        config=config,
        trade_day="2025-03-03" if count else None,
        trades_today=count,
        trades=(trade_of("a", "2025-03-02T10:00:00"), trade_of("b", "2025-03-03T10:00:00", symbol="ETH-USD")),
        steps=tuple(sequence),
        max_body_bytes=1024,
    ),
    instants,
    st.fixed_dictionaries(
        {"max_trades_per_day": st.integers(1, 6), "timezone": st.sampled_from(ZONES)},
        optional={"start_hour": st.integers(0, 9), "end_hour": st.integers(9, 24)},
    ),
    st.integers(0, 2),
    st.lists(scenes, min_size=4, max_size=12).map(chain.from_iterable),
)

modes: st.SearchStrategy[Mode] = st.sampled_from(["legacy", "native"])
tables = st.lists(st.fixed_dictionaries(dict.fromkeys(BOTH_SIDES, modes)), min_size=1, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases, assignments=tables)
def test_any_sequence_under_any_assignment_of_sides_is_answered_as_by_legacy_alone(
    case: Case, assignments: list[dict[str, Mode]]
) -> None:
    answers, _, left = _run(case, [{}])
    moved_answers, moved_sides, moved_left = _run(case, assignments)

    assert moved_answers == answers
    assert moved_left == left
    requests = [step[0] for step in case.steps if isinstance(step, tuple)]
    assert moved_sides == [
        _side(request, assignments[number % len(assignments)]) for number, request in enumerate(requests)
    ]


def _run(case: Case, assignments: list[dict[str, Mode]]) -> tuple[list[Answer], list[str | None], Leftovers]:
    world = World(case, MemoryStore())
    with under_modes(world, assignments) as serve:
        taken = [world.take(step, serve) for step in case.steps]
    served = [one for one in taken if one is not None]
    return [answer for answer, _ in served], [side for _, side in served], world.left()


def _side(request: Request, assignment: dict[str, Mode]) -> str:
    method = "GET" if request.method == "HEAD" else request.method
    if method == "GET" and request.path in NATIVE_ONLY:
        return "native"
    return assignment.get(f"{method} {request.path}", "legacy")

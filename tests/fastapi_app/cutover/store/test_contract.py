"""What every store of the cutover promises: one suite for all backends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier

import pytest

from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.store.base import (
    Change,
    ChangeRefused,
    CountKey,
    CutoverStore,
    ModeTable,
    VersionConflict,
)
from shared.modes import EndpointMode
from tests.fastapi_app.cutover.store.helpers import (
    BOTH,
    CANARY,
    INSTANT,
    INVENTORY,
    LEGACY,
    MATCH,
    NATIVE,
    NEW,
    OLD,
    OTHER,
    SEEDED,
    SHADOW,
    VERIFY,
    OpenStore,
    endpoint,
    ids,
    mismatch,
    move,
)
from tests.shared.store.helpers import DEADLINE_SECONDS, in_thread

# The inventory


def test_before_an_inventory_there_is_nothing(empty: CutoverStore) -> None:
    assert (list(empty.endpoints()), empty.table(), empty.version()) == ([], ModeTable(0, {}), 0)
    assert (list(empty.log()), empty.counts(), list(empty.mismatches()), empty.mismatch(1)) == ([], {}, [], None)


def test_an_endpoint_starts_with_the_side_that_it_has_legacy_first(empty: CutoverStore) -> None:
    table = empty.register(INVENTORY, {}, at=INSTANT)
    assert table == ModeTable(1, SEEDED)
    assert (empty.table(), empty.version(), list(empty.endpoints())) == (table, 1, list(INVENTORY))


def test_an_endpoint_starts_in_the_initial_mode_where_one_is_given(empty: CutoverStore) -> None:
    table = empty.register(INVENTORY, {BOTH.name: CANARY}, at=INSTANT)
    assert table.modes == {**SEEDED, BOTH.name: CANARY}
    [seed] = empty.log(endpoint=BOTH.name)
    assert (seed.before, seed.after, seed.author, seed.reason) == (
        None,
        CANARY,
        "tradewindow",
        "first seen, as the settings say",
    )
    [seed] = empty.log(endpoint=OLD.name)
    assert (seed.before, seed.after, seed.author, seed.reason) == (None, LEGACY, "tradewindow", "first seen")


def test_a_known_endpoint_keeps_its_mode_whatever_the_settings_say(store: CutoverStore) -> None:
    move(store, to=SHADOW)
    log = store.log()
    assert store.register(INVENTORY, {BOTH.name: NATIVE}, at=INSTANT) == ModeTable(2, {**SEEDED, BOTH.name: SHADOW})
    assert store.log() == log


@pytest.mark.parametrize(
    ("mode", "lost"),
    [(NATIVE, "native"), (SHADOW, "native"), (CANARY, "legacy"), (LEGACY, "legacy"), (VERIFY, "legacy")],
)
def test_an_endpoint_keeps_its_mode_though_it_lost_a_side_that_it_needs(
    store: CutoverStore, mode: EndpointMode, lost: str
) -> None:
    move(store, to=mode)
    before, log = store.table(), store.log()
    now = [replace(BOTH, legacy=lost != "legacy", native=lost != "native"), *INVENTORY[1:]]
    assert store.register(now, {}, at=INSTANT) == before
    assert (store.table(), store.log(), list(store.endpoints())) == (before, log, now)
    left = LEGACY if lost == "native" else NATIVE
    assert move(store, to=left).modes[BOTH.name] == left
    with pytest.raises(ChangeRefused, match=f"it has no {lost} side"):
        move(store, to=VERIFY)


def test_an_endpoint_that_is_gone_keeps_mode_log_and_evidence(store: CutoverStore) -> None:
    before = move(store)
    store.add_evidence({MATCH: 3}, [mismatch()])
    assert store.register([OTHER, NEW], {}, at=INSTANT) == before
    assert (store.table(), list(store.endpoints())) == (before, [OTHER, NEW])
    assert list(store.table().modes)[:2] == [OTHER.name, NEW.name]
    assert [change.version for change in store.log(endpoint=BOTH.name)] == [2, 1]
    assert store.counts() == {MATCH: 3}
    assert len(store.mismatches(endpoint=BOTH.name)) == 1


def test_an_endpoint_that_is_gone_is_known_with_the_sides_that_it_had(store: CutoverStore) -> None:
    assert list(store.known_endpoints()) == list(INVENTORY)
    store.register([OTHER], {}, at=INSTANT)
    gone = [replace(each, is_gone=True) for each in (BOTH, NEW, OLD)]
    assert list(store.known_endpoints()) == [OTHER, *gone]
    store.register([NEW], {}, at=INSTANT)
    assert list(store.known_endpoints()) == [NEW, gone[0], gone[2], replace(OTHER, is_gone=True)]


def test_an_endpoint_that_comes_back_is_in_the_mode_that_it_had(store: CutoverStore) -> None:
    before = move(store)
    store.register([OTHER], {}, at=INSTANT)
    assert store.register(INVENTORY, {BOTH.name: NATIVE}, at=INSTANT) == before
    assert list(store.endpoints()) == list(INVENTORY)


def test_an_endpoint_that_is_gone_can_be_moved_for_who_still_has_it(store: CutoverStore) -> None:
    move(store, to=CANARY)
    store.register([OTHER], {}, at=INSTANT)
    table = move(store, to=SHADOW)
    assert table == ModeTable(3, {**SEEDED, BOTH.name: SHADOW})
    assert store.register(INVENTORY, {}, at=INSTANT) == table


def test_the_inventory_is_kept_in_its_order_with_notes(store: CutoverStore) -> None:
    turned = [*reversed(INVENTORY)]
    assert store.register(turned, {}, at=INSTANT).version == 1
    assert list(store.endpoints()) == turned
    assert list(store.table().modes) == [one.name for one in turned]


@pytest.mark.parametrize(
    ("initial", "sentence"),
    [
        ({"GET /api/bot": LEGACY}, "'GET /api/bot' is not an endpoint: the nearest are GET /api/both"),
        ({"PUT /x": LEGACY}, "'PUT /x' is not an endpoint: `tradewindow cutover list` shows all"),
        ({OLD.name: NATIVE}, "GET /api/old/<int:number> can't be in mode native: it has no native side"),
        ({NEW.name: VERIFY}, "GET /api/new can't be in mode verify: it has no legacy side"),
    ],
)
def test_an_initial_mode_that_can_t_be_is_refused(
    empty: CutoverStore, initial: dict[str, EndpointMode], sentence: str
) -> None:
    with pytest.raises(ChangeRefused) as raised:
        empty.register(INVENTORY, initial, at=INSTANT)
    assert str(raised.value).startswith(sentence)
    assert (list(empty.endpoints()), empty.version(), list(empty.log())) == ([], 0, [])


# Changes


def test_the_table_has_the_version_with_which_each_endpoint_came_into_its_mode(store: CutoverStore) -> None:
    assert store.table().since == dict.fromkeys(SEEDED, 1)
    move(store, to=CANARY)
    move(store, OTHER.name)
    move(store, OTHER.name, to=LEGACY)
    table = move(store, OTHER.name)
    assert table.since == store.table().since == {**dict.fromkeys(SEEDED, 1), BOTH.name: 2, OTHER.name: 5}
    assert store.register([OTHER], {}, at=INSTANT).since == table.since


def test_a_change_is_written_with_who_when_and_why(store: CutoverStore) -> None:
    at = datetime(2025, 3, 3, 14, 0, tzinfo=timezone(timedelta(hours=1)))
    table = move(store, to=CANARY, author="ann", reason="5 % on Monday", at=at)
    assert table == ModeTable(2, {**SEEDED, BOTH.name: CANARY})
    assert (store.table(), store.version()) == (table, 2)
    assert store.log(limit=1) == [
        Change(
            version=2,
            at=datetime(2025, 3, 3, 13, 0, tzinfo=UTC),
            endpoint=BOTH.name,
            before=LEGACY,
            after=CANARY,
            author="ann",
            reason="5 % on Monday",
        )
    ]


def test_several_endpoints_change_in_one_version(store: CutoverStore) -> None:
    assert move(store, BOTH.name, OTHER.name) == ModeTable(2, {**SEEDED, BOTH.name: SHADOW, OTHER.name: SHADOW})
    assert [(change.version, change.endpoint) for change in store.log(limit=2)] == [(2, OTHER.name), (2, BOTH.name)]


def test_nothing_is_written_without_a_difference(store: CutoverStore) -> None:
    before = move(store, to=SHADOW)
    assert move(store, to=SHADOW) == before
    assert len(store.log()) == len(INVENTORY) + 1


def test_a_table_that_was_answered_doesn_t_change(store: CutoverStore) -> None:
    before = store.table()
    move(store)
    assert before == ModeTable(1, SEEDED)


@pytest.mark.parametrize(
    ("name", "to", "sentence"),
    [
        (OLD.name, SHADOW, "GET /api/old/<int:number> can't be in mode shadow: it has no native side"),
        (OLD.name, NATIVE, "GET /api/old/<int:number> can't be in mode native: it has no native side"),
        (NEW.name, CANARY, "GET /api/new can't be in mode canary: it has no legacy side"),
        (NEW.name, LEGACY, "GET /api/new can't be in mode legacy: it has no legacy side"),
        ("GET /api/boht", SHADOW, "'GET /api/boht' is not an endpoint: the nearest are GET /api/both"),
        ("GET /api/old/7", SHADOW, "'GET /api/old/7' is not an endpoint: the nearest are GET /api/old/<int:number>"),
        ("HEAD /api/both", SHADOW, "'HEAD /api/both' is not an endpoint: HEAD goes with GET /api/both"),
        ("HEAD /api/old/7", SHADOW, "'HEAD /api/old/7' is not an endpoint: HEAD goes with GET /api/old/<int:number>"),
        ("", SHADOW, "'' is not an endpoint: `tradewindow cutover list` shows all"),
    ],
)
def test_a_change_that_can_t_be_is_refused_whole(
    store: CutoverStore, name: str, to: EndpointMode, sentence: str
) -> None:
    with pytest.raises(ChangeRefused) as raised:
        store.change({BOTH.name: SHADOW, name: to}, author="ann", reason="", at=INSTANT)
    assert str(raised.value).startswith(sentence)
    assert store.table() == ModeTable(1, SEEDED)
    assert len(store.log()) == len(INVENTORY)


def test_a_change_on_an_older_version_is_refused(store: CutoverStore) -> None:
    move(store, OTHER.name, version=1)
    with pytest.raises(VersionConflict, match="at version 2, not 1: read it again") as raised:
        move(store, version=1)
    assert (raised.value.expected, raised.value.current) == (1, 2)
    assert store.table() == ModeTable(2, {**SEEDED, OTHER.name: SHADOW})
    assert move(store, version=2).version == 3


def test_of_many_threads_that_change_one_version_one_wins(open_store: OpenStore) -> None:
    first = open_store()
    first.register(INVENTORY, {}, at=INSTANT)
    ready = Barrier(8)

    def race(number: int) -> str:
        ready.wait(DEADLINE_SECONDS)
        try:
            move(first, to=EndpointMode(mode="canary", percent=number), version=1, author=f"thread {number}")
        except VersionConflict:
            return "lost"
        return f"thread {number}"

    threads = [in_thread(race, number) for number in range(8)]
    outcomes = [thread.result(DEADLINE_SECONDS) for thread in threads]
    (winner,) = {*outcomes} - {"lost"}
    assert outcomes.count("lost") == 7
    assert [change.author for change in first.log(endpoint=BOTH.name)] == [winner, "tradewindow"]


def test_many_threads_use_one_store_at_once(store: CutoverStore) -> None:
    def use(number: int) -> None:
        for _ in range(10):
            store.add_evidence({MATCH: 1}, [mismatch()])
            move(store, to=EndpointMode(mode="shadow", sample_rate=number / 10))
            assert store.table().modes[BOTH.name].mode == "shadow"
            assert store.version() > 1

    threads = [in_thread(use, number) for number in range(6)]
    for thread in threads:
        thread.result(DEADLINE_SECONDS)
    assert store.counts() == {MATCH: 60}
    assert sorted(number for number in ids(store, limit=100) if number) == list(range(1, 61))
    assert store.version() == 1 + len(store.log(limit=1000)) - len(INVENTORY)


def test_a_naive_instant_is_refused(store: CutoverStore) -> None:
    with pytest.raises(ValueError, match="not aware of its time zone"):
        move(store, at=datetime(2025, 3, 3))  # noqa: DTZ001 - what is refused
    assert store.version() == 1


def test_a_reason_may_be_any_text(store: CutoverStore) -> None:
    move(store, reason="näher \N{PILE OF POO}\n\0 \ud800 '; DROP TABLE endpoints; --", author="Jürgen")
    [change, *_] = store.log()
    assert change.reason == "näher \N{PILE OF POO}\n\0 \\ud800 '; DROP TABLE endpoints; --"
    assert change.author == "Jürgen"


# The log


def test_the_log_is_newest_first_and_bounded(store: CutoverStore) -> None:
    for percent in (1, 2, 3):
        move(store, to=EndpointMode(mode="canary", percent=percent))
    assert [change.after.percent for change in store.log(limit=2)] == [3, 2]
    assert [change.version for change in store.log(endpoint=BOTH.name)] == [4, 3, 2, 1]
    assert [change.version for change in store.log(endpoint=BOTH.name, limit=1)] == [4]
    assert list(store.log(endpoint="GET /nowhere")) == []


# Evidence


def test_counts_add_up(store: CutoverStore) -> None:
    skipped = CountKey(BOTH.name, "shadow", "skipped", "queue_full")
    store.add_evidence({MATCH: 2, skipped: 1}, [])
    store.add_evidence({MATCH: 3, CountKey("GET /gone", "verify", "accepted", "rounding"): 1}, [])
    assert store.counts() == {MATCH: 5, skipped: 1, CountKey("GET /gone", "verify", "accepted", "rounding"): 1}


def test_a_mismatch_is_kept_in_full(store: CutoverStore) -> None:
    seen = Mismatch(
        endpoint=BOTH.name,
        at=INSTANT,
        mode=EndpointMode(mode="canary", percent=12.5, sample_rate=0.1),
        request=SeenRequest(
            method="POST",
            path="/api/b%C3%B6th",
            query="a=%20&a=2",
            headers=(("content-type", "text/plain"), ("x-twice", "1"), ("x-twice", "\xff")),
            body=b"\xff\x00 no text",
        ),
        primary=Observation(
            side="legacy",
            answer=SeenAnswer(status=200, headers=(("etag", '"1"'),), body='{"größe": 1}'.encode()),
            effects={"ledger": {"default": [{"id": "a", "price": "1.50"}]}, "state": None},
        ),
        candidate=Observation(
            side="native",
            answer=SeenAnswer(status=500),
            raised="KeyError: 'price'",
            raised_at="KeyError in quote (prices.py:31)",
        ),
        differences=(
            Difference(path="status", primary=200, candidate=500),
            Difference(path="body.größe", primary=1, candidate_has=False),
            Difference(path="effects.ledger", primary=[1.5, {"a": None}], candidate="\ud800"),
        ),
        recording={"instant": "2025-03-03T12:30:15Z", "calls": [["a", 1], True]},
    )
    [number] = store.add_evidence({}, [seen])
    assert store.mismatch(number) == replace(seen, id=number)
    assert store.mismatches() == [replace(seen, id=number)]


def test_mismatches_are_numbered_and_newest_first(store: CutoverStore) -> None:
    assert list(store.add_evidence({}, [mismatch(), mismatch(OTHER.name)])) == [1, 2]
    assert list(store.add_evidence({}, [mismatch()])) == [3]
    assert ids(store) == [3, 2, 1]
    assert ids(store, limit=2) == [3, 2]
    assert ids(store, endpoint=BOTH.name) == [3, 1]
    assert ids(store, endpoint=BOTH.name, limit=1) == [3]
    assert [store.mismatch(number) for number in (4, 0, -1, 2**63, 10**30)] == [None] * 5


def test_the_oldest_mismatches_go(open_store: OpenStore) -> None:
    store = open_store(kept_mismatches=3)
    assert list(store.add_evidence({}, [mismatch() for _ in range(5)])) == [1, 2, 3, 4, 5]
    assert ids(store) == [5, 4, 3]
    assert list(store.add_evidence({}, [mismatch()])) == [6]
    assert ids(store) == [6, 5, 4]
    assert store.mismatch(3) is None


def test_a_noisy_endpoint_pushes_out_its_own_mismatches_alone(open_store: OpenStore) -> None:
    store = open_store(kept_mismatches=6)
    store.add_evidence({}, [mismatch(OTHER.name), mismatch(NEW.name), mismatch(OTHER.name)])
    for _ in range(20):
        store.add_evidence({}, [mismatch()])
    assert ids(store) == [23, 22, 21, 3, 2, 1]


def test_what_was_seen_in_canary_outlasts_a_flood_in_shadow(open_store: OpenStore) -> None:
    store = open_store(kept_mismatches=4)
    store.add_evidence({}, [mismatch(mode=CANARY)])
    store.add_evidence({}, [mismatch(mode=SHADOW) for _ in range(20)])
    assert ids(store) == [21, 20, 19, 1]


def test_the_bound_holds_where_each_mismatch_is_of_another_endpoint(open_store: OpenStore) -> None:
    store = open_store(kept_mismatches=3)
    store.add_evidence({}, [mismatch(f"GET /{number}") for number in range(5)])
    assert ids(store) == [5, 4, 3]


def test_evidence_is_kept_whole_or_not_at_all(store: CutoverStore) -> None:
    naive = replace(mismatch(), at=datetime(2025, 3, 3))  # noqa: DTZ001
    with pytest.raises(ValueError, match="not aware of its time zone"):
        store.add_evidence({MATCH: 1}, [mismatch(), naive])
    assert (store.counts(), list(store.mismatches())) == ({}, [])


def test_a_closed_store_opens_again(store: CutoverStore) -> None:
    move(store)
    store.close()
    assert store.table() == ModeTable(2, {**SEEDED, BOTH.name: SHADOW})
    store.close()
    store.close()


def test_endpoints_with_rules_of_any_text(empty: CutoverStore) -> None:
    odd = endpoint("GET /ä ö/'\"/<re('[a-z]'):x>")
    empty.register([odd], {odd.name: VERIFY}, at=INSTANT)
    assert list(empty.endpoints()) == [odd]
    assert move(empty, odd.name).modes == {odd.name: SHADOW}

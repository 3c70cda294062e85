"""What a transition sees, and what becomes of its outcome, or of what it raises."""

import asyncio
import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import UnknownWindow
from shared.store.base import Applied, LedgerPage, Store
from shared.window import Entry, LedgerEntry, Outcome, Snapshot, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import ALL, HALTED, UNTOUCHED, Face, expect_untouched, ids_of
from tests.shared.store.helpers import CONFIG, DAY, DEADLINE_SECONDS, INSTANT, key, raising, trade, with_outcome

EMPTY_ENTRY = Entry(id="empty", kind="note", data={})


async def test_a_transition_sees_the_window_as_it_is_and_its_outcome_is_stored(face: Face) -> None:
    seen: list[tuple[WindowConfig, WindowState, datetime]] = []

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[str]:
        seen.append((config, state, instant))
        changed: WindowState = {"trade_day": "2025-03-04", "trades_today": 9, "halt": {"reason": "lunch"}}
        entries = (Entry(id="a", kind="order", data={"price": "1.50"}, trade_day=DAY, symbol="X"), EMPTY_ENTRY)
        return Outcome(WindowConfig(max_trades_per_day=1), changed, entries, "answer")

    await face.create()
    applied = await face.apply(transition)

    before = Snapshot(window_id="w", config=CONFIG, state=UNTOUCHED, version=1, sequence=0)
    after = Snapshot(
        window_id="w",
        config=WindowConfig(max_trades_per_day=1),
        state={"trade_day": "2025-03-04", "trades_today": 9, "halt": {"reason": "lunch"}},
        version=2,
        sequence=2,
    )
    written = (
        LedgerEntry(
            sequence=1, id="a", kind="order", instant=INSTANT, data={"price": "1.50"}, trade_day=DAY, symbol="X"
        ),
        LedgerEntry(sequence=2, id="empty", kind="note", instant=INSTANT, data={}, trade_day=None, symbol=None),
    )
    assert seen == [(CONFIG, UNTOUCHED, INSTANT)]
    assert applied == Applied(answer="answer", before=before, after=after, entries=written, replayed=False)
    assert await face.snapshot() == after
    assert await face.ledger() == LedgerPage(entries=(written[1], written[0]), sequence=2)


async def test_a_transition_that_writes_no_entry_still_changes_the_state(face: Face) -> None:
    await face.create()
    applied = await face.apply(with_outcome(answer=None, halt={"reason": "fat finger"}))
    assert applied.entries == ()
    assert await face.snapshot() == Snapshot(window_id="w", config=CONFIG, state=HALTED, version=1, sequence=0)


async def test_the_version_counts_configs_and_nothing_else(face: Face) -> None:
    def limit(trades: int) -> Transition[None]:
        return lambda config, state, _: Outcome(config.changed({"max_trades_per_day": trades}), state, (), None)

    await face.create()
    transitions: list[Transition[Any]] = [limit(5), trade(), limit(6), limit(6), limit(5), trade("2")]
    versions = [(await face.apply(transition)).after.version for transition in transitions]
    assert versions == [1, 1, 2, 2, 3, 3]
    assert (await face.snapshot()).version == 3


@pytest.mark.parametrize(
    "error",
    [
        LookupError("no"),
        UnknownWindow("another"),
        StopIteration(),
        asyncio.CancelledError(),
        SystemExit(3),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
async def test_whatever_a_transition_raises_is_its_callers_and_writes_nothing(face: Face, error: BaseException) -> None:
    await face.create()
    # A coroutine can't raise StopIteration: it becomes a RuntimeError (PEP 479).
    with pytest.raises((type(error), RuntimeError)):
        await face.apply(raising(error), key=key())
    await expect_untouched(face)
    assert (await face.apply(trade(), key=key(body="another"))).after.sequence == 1


async def test_a_refusal_among_many_writes_undoes_only_itself(store: Store) -> None:
    await store.create_async("w", CONFIG)
    writes = [raising(LookupError(str(n))) if n % 3 == 1 else trade(f"trade-{n}") for n in range(90)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *[store.apply_async("w", write, instant=INSTANT) for write in writes], return_exceptions=True
        )
    assert [number for number, answer in enumerate(answers) if type(answer) is LookupError] == list(range(1, 90, 3))
    page = store.ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == list(range(60, 0, -1))
    assert sorted(ids_of(page)) == sorted(f"trade-{n}" for n in range(90) if n % 3 != 1)
    assert store.snapshot("w").state["trades_today"] == 60


NOT_JSON: list[Any] = [
    math.nan,
    -math.inf,
    object(),
    {1, 2},
    b"bytes",
    Decimal("1.5"),
    INSTANT,
    {"deep": [{"down": math.nan}]},
    {(1, 2): 3},
]


@pytest.mark.parametrize("place", ["answer", "data", "state"])
async def test_what_json_cannot_hold_is_refused_before_anything_is_written(face: Face, place: str) -> None:
    await face.create()
    for value in NOT_JSON:
        data = {"value": value if place == "data" else 0}
        answer = {"value": value if place == "answer" else 0}
        changes = {"halt": value} if place == "state" else {}
        write = with_outcome(Entry(id="a", kind="trade", data=data), answer=answer, **changes)
        with pytest.raises((TypeError, ValueError)):
            await face.apply(write, key=key())
        await expect_untouched(face)
    assert not (await face.apply(trade(), key=key(body="another"))).replayed


async def test_an_answer_that_no_key_keeps_may_be_anything(face: Face) -> None:
    answer = object()
    await face.create()
    assert (await face.apply(with_outcome(answer=answer))).answer is answer


AWKWARD_JSON: dict[str, Any] = {
    "": None,
    "text": 'å "quoted" \\ \n\t\0\x7f \u2028 \U0001f600',
    "lone surrogate": "\ud800",
    "numbers": [0, -1, 2**70, 0.1, 1e300, -0.0, True, False],
    "nested": {"empty": {}, "list": [[], [[1]], {"a": None}]},
}


async def test_json_values_come_back_as_they_went_in(face: Face) -> None:
    entry = Entry(id="a", kind="note", data=AWKWARD_JSON)
    await face.create()
    await face.apply(with_outcome(entry, answer=AWKWARD_JSON, halt={"reason": AWKWARD_JSON["text"]}), key=key())
    [found] = (await face.ledger()).entries
    assert json.dumps(found.data) == json.dumps(AWKWARD_JSON)
    assert json.dumps((await face.apply(trade(), key=key())).answer) == json.dumps(AWKWARD_JSON)
    assert (await face.snapshot()).state["halt"] == {"reason": AWKWARD_JSON["text"]}


async def test_instants_keep_every_microsecond_also_before_1970_and_in_another_zone(face: Face) -> None:
    instants = [
        INSTANT,
        INSTANT.replace(microsecond=0),
        INSTANT.replace(year=1815, microsecond=1),
        datetime.fromisoformat("2025-03-03T23:59:59.999999+13:45"),
    ]
    await face.create()
    for number, instant in enumerate(instants):
        await face.apply(trade(f"{number}"), instant=instant)
    found = [entry.instant for entry in (await face.ledger()).entries]
    assert found == instants[::-1]

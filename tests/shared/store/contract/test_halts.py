"""A halt refuses whoever asks for a slot."""

from datetime import timedelta

import pytest

from shared.errors import KeyReused, Refused
from shared.window import Asking, Snapshot
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import HALTED, Face, ids_of
from tests.shared.store.helpers import CONFIG, INSTANT, MICROSECOND, key, trade, trade_within_limit, with_outcome


async def test_a_halted_window_gives_no_slot(face: Face) -> None:
    await face.create()
    await face.halt()
    with pytest.raises(Refused) as raised:
        await face.apply(trade(), asks=Asking(), key=key())
    [reason] = raised.value.reasons
    assert (reason.code, reason.value, reason.bound) == ("HALTED", "fat finger", None)
    assert "fat finger" in reason.sentence
    assert await face.snapshot() == Snapshot(window_id="w", config=CONFIG, state=HALTED, version=1, sequence=0)


async def test_a_halted_window_names_the_reasons_behind_the_halt_too(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=0))
    await face.halt()
    with pytest.raises(Refused) as raised:
        await face.apply(trade_within_limit("1"), asks=Asking())
    assert [reason.code for reason in raised.value.reasons] == ["HALTED", "DAILY_LIMIT"]


async def test_a_write_that_takes_no_slot_passes_a_halt(face: Face) -> None:
    await face.create()
    await face.halt()
    await face.apply(trade())
    await face.apply(with_outcome(answer=None, halt=None))
    assert (await face.apply(trade("2"), asks=Asking())).after.sequence == 2


async def test_a_kept_answer_is_given_although_the_window_is_halted(face: Face) -> None:
    await face.create()
    await face.apply(trade(), asks=Asking(), key=key())
    await face.halt()
    again = await face.apply(trade(), asks=Asking(), key=key())
    assert (again.answer, again.replayed) == ({"trades_today": 1}, True)
    with pytest.raises(KeyReused):
        await face.apply(trade(), asks=Asking(), key=key(body="another"))


async def test_a_halt_of_a_symbol_refuses_those_who_ask_for_it_alone(face: Face) -> None:
    await face.create()
    await face.apply(with_outcome(answer=None, symbol_halts={"BTC-USD": {"reason": "fork"}}))
    with pytest.raises(Refused) as raised:
        await face.apply(trade(), asks=Asking("BTC-USD"), key=key())
    [reason] = raised.value.reasons
    assert (reason.code, reason.sentence, reason.bound) == ("HALTED", "halted: fork", "BTC-USD")
    assert (await face.ledger()).sequence == 0
    await face.apply(trade("1"), asks=Asking("ETH-USD"))
    await face.apply(trade("2"), asks=Asking())
    await face.apply(trade("3", symbol="BTC-USD"))
    assert ids_of(await face.ledger()) == ["3", "2", "1"]


async def test_both_halts_and_the_reasons_behind_them_are_named(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=0))
    await face.halt()
    await face.apply(with_outcome(answer=None, symbol_halts={"BTC-USD": {"reason": "fork"}}))
    with pytest.raises(Refused) as raised:
        await face.apply(trade_within_limit("1"), asks=Asking("BTC-USD"))
    assert [reason.sentence for reason in raised.value.reasons] == [
        "halted: fat finger",
        "halted: fork",
        "no slot is left",
    ]


async def test_a_halt_with_an_end_refuses_until_then(face: Face) -> None:
    await face.create()
    halt = {"reason": "lunch", "until": "2025-03-03T12:30:15.123456Z"}
    await face.apply(
        with_outcome(answer=None, halt=halt, symbol_halts={"BTC-USD": halt}), instant=INSTANT - timedelta(hours=1)
    )
    with pytest.raises(Refused) as raised:
        await face.apply(trade(), asks=Asking("BTC-USD"), instant=INSTANT - MICROSECOND)
    assert [reason.clears_at for reason in raised.value.reasons] == [INSTANT, INSTANT]

    applied = await face.apply(trade(), asks=Asking("BTC-USD"), instant=INSTANT)
    assert [(entry.sequence, entry.id, entry.kind, entry.symbol) for entry in applied.entries] == [
        (1, "halt-*-2025-03-03T12:30:15.123456Z", "halt", None),
        (2, "halt-BTC-USD-2025-03-03T12:30:15.123456Z", "halt", "BTC-USD"),
        (3, "trade-1", "trade", None),
    ]
    assert applied.entries[0].data == {**halt, "symbol": "*", "status": "ended"}
    left = await face.snapshot()
    assert (left.state["halt"], "symbol_halts" in left.state) == (None, False)

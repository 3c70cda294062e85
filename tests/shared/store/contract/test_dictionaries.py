"""Whose dictionaries are whose: nobody changes the store by what was handed in or out."""

from typing import Any

from shared.window import Entry
from tests.shared.store.contract.faces import NEVER, UNTOUCHED, Face, expect_untouched
from tests.shared.store.helpers import key, with_outcome


def spoil(value: Any) -> None:
    """Changes a JSON value through and through, in place."""
    for inner in list(value.values()):
        if hasattr(inner, "values"):
            spoil(inner)
    value.clear()
    value["spoiled"] = True


async def test_what_was_handed_in_or_out_can_be_changed_without_harm(face: Face) -> None:
    halt, data, answer = {"reason": "lunch"}, {"inner": {"id": "a"}}, {"inner": {"n": 1}}

    async def expect_unharmed() -> None:
        window, page = await face.snapshot(), await face.ledger()
        assert window.state == {"trade_day": None, "trades_today": 0, "halt": {"reason": "lunch"}}
        assert page.entries[0].data == {"inner": {"id": "a"}}
        again = await face.apply(NEVER, key=key())
        assert again.answer == {"inner": {"n": 1}}
        assert again.before.state == again.after.state == window.state

        for state in (window.state, again.before.state, again.after.state):
            if "spoiled" not in state:  # `before` and `after` may be one
                spoil(state)
        spoil(page.entries[0].data)
        spoil(again.answer)

    await face.create()
    applied = await face.apply(with_outcome(Entry(id="a", kind="note", data=data), answer=answer, halt=halt), key=key())
    for handed_in in (halt, data, answer):
        spoil(handed_in)
    spoil(applied.before.state)
    spoil(applied.after.state)
    await expect_unharmed()
    await expect_unharmed()


async def test_a_new_windows_state_is_its_own(face: Face) -> None:
    spoil((await face.create()).state)
    spoil((await face.create()).state)
    await expect_untouched(face)
    assert (await face.create("v")).state == UNTOUCHED

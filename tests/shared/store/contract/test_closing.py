"""A store that is closed, or another one on the same state."""

from contextlib import suppress

import pytest

from shared.errors import KeyReused, StoreUnavailable
from shared.store.base import LedgerPage, Store
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import ALL, DURABLE, Face, OpenStore, ids_of
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, INSTANT, in_thread, key, trade


async def test_a_closed_store_opens_again_when_used(store: Store, face: Face) -> None:
    store.close()
    await face.create()
    store.close()
    store.close()
    await face.apply(trade("1"), key=key())
    store.close()
    assert (await face.snapshot()).sequence == 1
    store.close()
    assert ids_of(await face.ledger()) == ["1"]
    store.close()
    assert (await face.apply(trade("2"), key=key())).replayed


def test_a_store_that_is_closed_while_others_use_it_writes_what_it_acknowledges(store: Store) -> None:
    store.create("w", CONFIG)
    written: list[str] = []

    def use(name: str) -> None:
        for number in range(40):
            # A write that meets the closing may be refused; one that was answered is there.
            with suppress(StoreUnavailable):
                applied = store.apply("w", trade(f"{name}{number}"), instant=INSTANT)
                written.append(applied.entries[0].id)
                assert store.snapshot("w").sequence >= applied.after.sequence

    users = [in_thread(use, name) for name in "abcd"]
    while not all(user.done() for user in users):
        in_thread(store.close).result(DEADLINE_SECONDS)
    for user in users:
        user.result(DEADLINE_SECONDS)
    page = store.ledger("w", ALL)
    assert sorted(ids_of(page)) == sorted(written)
    assert [entry.sequence for entry in page.entries] == list(range(len(written), 0, -1))


@pytest.mark.parametrize("open_store", DURABLE, indirect=True)
async def test_another_store_on_the_same_state_finds_everything(open_store: OpenStore) -> None:
    first = open_store()
    await first.create_async("w", CONFIG)
    written = await first.apply_async("w", trade("1"), instant=INSTANT, key=key())
    first.close()

    second = open_store()
    assert second.create("w", WindowConfig()) == written.after
    assert second.ledger("w", ALL) == LedgerPage(entries=written.entries, sequence=1)
    again = second.apply("w", trade("2"), instant=INSTANT, key=key())
    assert (again.answer, again.replayed) == ({"trades_today": 1}, True)
    with pytest.raises(KeyReused):
        await second.apply_async("w", trade("3"), instant=INSTANT, key=key(body="another"))
    assert second.snapshot("w") == written.after


@pytest.mark.parametrize("open_store", DURABLE, indirect=True)
def test_two_stores_on_the_same_state_take_turns(open_store: OpenStore) -> None:
    stores = [open_store(), open_store()]
    stores[0].create("w", CONFIG)

    def write(number: int) -> None:
        for count in range(40):
            stores[number % 2].apply(
                "w", trade(f"{number}-{count}"), instant=INSTANT, key=key(f"{number // 2}-{count}")
            )

    threads = [in_thread(write, number) for number in range(4)]
    for thread in threads:
        thread.result(DEADLINE_SECONDS)
    for store in stores:
        page = store.ledger("w", ALL)
        assert [entry.sequence for entry in page.entries] == list(range(80, 0, -1))
        assert store.snapshot("w").state["trades_today"] == 80

"""Whatever a handler does, and whatever others do meanwhile."""

import asyncio
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import KeyReused, StoreUnavailable
from shared.store.base import LedgerQuery
from shared.window import Asking
from shared.window_config import WindowConfig
from tests.shared.recorded import NOON, Face, World, replay_elsewhere, replay_here
from tests.shared.replaying.stage import A_MINUTE, AT_NOON, Services
from tests.shared.store.helpers import key, permit_of, reserved, trade, trade_within_limit, with_outcome

STEPS = st.one_of(
    st.tuples(st.just("snapshot"), st.sampled_from(["default", "w"])),
    st.tuples(st.just("ledger"), st.sampled_from(["default", "w"]), st.sampled_from([None, "BTC"]), st.integers(1, 5)),
    st.tuples(
        st.just("apply"),
        st.sampled_from(["default", "w"]),
        st.sampled_from([trade("own", symbol="BTC"), trade_within_limit("own"), with_outcome(answer=None)]),
        st.sampled_from([None, key("k-1"), key("k-1", body="another"), key("k-2")]),
        st.sampled_from([None, Asking(), Asking("BTC")]),
    ),
    st.tuples(st.just("create"), st.sampled_from(["default", "w"])),
    st.tuples(st.just("call"), st.sampled_from(["effect", "read"]), st.sampled_from(["BTC", "gone"])),
)
OF_OTHERS = st.sampled_from(
    [
        *(
            "nothing",
            "trade",
            "trade with key",
            "another day",
            "halt",
            "no halt",
            "halt of a symbol",
            "halt that is over",
        ),
        *("permit that is over", "sent permit that is over", "permit", "make w", "store fails"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    handler=st.lists(STEPS, max_size=8), meanwhile=st.lists(OF_OTHERS, min_size=8, max_size=8), awaited=st.booleans()
)
def test_an_equal_handler_meets_the_same_whatever_others_do(
    handler: list[Any], meanwhile: list[str], awaited: bool
) -> None:
    world = World(services={"market": Services()})

    async def everything() -> None:
        ports, recording = await world.record()
        met = []
        for step, others in zip(handler, meanwhile, strict=False):
            _interfere(world, others)
            met.append(await _take(Face(ports, awaited=awaited), step))
        world.breakable.error = None
        left = world.store.snapshot("default")
        for replayed in (replay_elsewhere(recording), replay_here(recording), replay_elsewhere(recording)):
            candidate = Face(replayed.ports, awaited=awaited)
            assert [await _take(candidate, step) for step in handler] == met
            assert (replayed.effects(), replayed.unrecorded_read()) == (recording.effects(), None)
        assert world.store.snapshot("default") == left

    asyncio.run(everything())


def _interfere(world: World, others: str) -> None:
    world.breakable.error = StoreUnavailable("it is away") if others == "store fails" else None
    match others:
        case "trade":
            world.others(trade("other", symbol="BTC"))
        case "trade with key":
            with suppress(KeyReused):
                world.store.apply("default", trade("other"), instant=NOON, key=key("k-1"))
        case "another day":
            world.others(trade("other", day="2025-03-04"))
        case "permit that is over":
            world.others(reserved(permit_of("p-1", deadline=AT_NOON)), instant=NOON - A_MINUTE)
        case "sent permit that is over":
            world.others(reserved(permit_of("p-1", status="sent", deadline=AT_NOON)), instant=NOON - A_MINUTE)
        case "permit":
            world.others(reserved(permit_of("p-1")))
        case "halt of a symbol":
            world.others(with_outcome(answer=None, symbol_halts={"BTC": {"reason": "fork"}}))
        case "halt that is over":
            over = {"reason": "lunch", "until": AT_NOON}
            world.others(with_outcome(answer=None, halt=over), instant=NOON - A_MINUTE)
        case "halt":
            world.others(with_outcome(answer=None, halt={"reason": "lunch"}))
        case "no halt":
            world.others(with_outcome(answer=None, halt=None))
        case "make w":
            world.store.create("w", WindowConfig())


async def _take(face: Face, step: tuple[Any, ...]) -> Any:
    """What a step is answered with; an error as its text."""
    try:
        match step:
            case "snapshot", window_id:
                return await face.snapshot(window_id)
            case "ledger", window_id, symbol, limit:
                return await face.ledger(LedgerQuery(symbol=symbol, limit=limit), window_id)
            case "apply", window_id, transition, its_key, asks:
                applied = await face.apply(transition, window_id, key=its_key, asks=asks)
                return applied.answer, applied.before, applied.after, applied.entries, applied.replayed
            case "create", window_id:
                return await face.create(window_id)
            case "call", "effect", symbol:
                return await face.effect("market", "place", symbol=symbol)
            case _, _, symbol:
                return await face.read("market", "price", symbol=symbol)
    except Exception as error:
        return repr(error), str(error)

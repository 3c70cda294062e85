"""`tradewindow cutover set`: what it warns of."""

import pytest

from fastapi_app.cutover.comparing.observation import Outcome
from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import EndpointMode, Mode
from tests.fastapi_app.cli.cutover.commands import answer, output
from tests.fastapi_app.cutover.store.helpers import BOTH, CANARY, INSTANT, LEGACY, NATIVE, OTHER, SHADOW

TO_NATIVE = pytest.mark.parametrize(
    "mode", [["canary", "--percent=5"], ["verify"], ["native"]], ids=lambda mode: str(mode[0])
)
NOTHING: dict[str, object] = {"never_compared": [], "skipped_as": {}, "differing": []}


def counted(
    store: SQLiteCutoverStore, name: str, outcome: Outcome, count: int, *, mode: Mode = "shadow", reason: str = ""
) -> None:
    store.add_evidence({CountKey(name, mode, outcome, reason): count}, [])


def put(store: SQLiteCutoverStore, mode: EndpointMode, *names: str) -> None:
    store.change(dict.fromkeys(names, mode), author="ann", reason="x", at=INSTANT)


def warned(store: SQLiteCutoverStore, *arguments: str) -> list[str]:
    told = output(store, "set", *arguments, "--reason", "x").splitlines()
    return [line for line in told if line.startswith("Warning: ")]


def warned_as_json(store: SQLiteCutoverStore, *arguments: str) -> dict[str, object]:
    shown = answer(store, "set", *arguments, "--reason", "x")
    return {key: shown[key] for key in NOTHING}


@TO_NATIVE
@pytest.mark.parametrize("before", [LEGACY, SHADOW], ids=str)
def test_set_warns_of_what_was_never_compared(store: SQLiteCutoverStore, before: EndpointMode, mode: list[str]) -> None:
    counted(store, OTHER.name, "match", 1)
    counted(store, BOTH.name, "skipped", 3, reason="queue_full")
    put(store, before, BOTH.name, OTHER.name)
    assert warned(store, BOTH.name, OTHER.name, *mode) == [
        "Warning: never compared so far (1 of 2 moved): GET /api/both. Clients get native's answers there; in shadow "
        "they would be compared first."
    ]
    put(store, before, BOTH.name, OTHER.name)
    assert warned_as_json(store, BOTH.name, OTHER.name, *mode) == {**NOTHING, "never_compared": [BOTH.name]}


def test_a_canary_of_nobody_is_no_move_to_native(store: SQLiteCutoverStore) -> None:
    counted(store, BOTH.name, "mismatch", 1)
    put(store, SHADOW, BOTH.name, OTHER.name)
    assert warned(store, BOTH.name, OTHER.name, "canary", "--percent", "0") == []
    # It comes with the first client.
    assert len(warned(store, BOTH.name, OTHER.name, "canary", "--percent", "1")) == 2


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        (
            "unsafe",
            "shadow compares them only where --effects of `cutover serve` records their effects, or cutover.pure names "
            "them as having none.",
        ),
        ("costly", "shadow doesn't compare them either, while cutover.costly says so."),
    ],
)
def test_set_names_apart_what_shadow_would_skip(store: SQLiteCutoverStore, reason: str, way: str) -> None:
    counted(store, OTHER.name, "skipped", 7, reason=reason)
    assert warned(store, BOTH.name, OTHER.name, "verify") == [
        "Warning: never compared so far (1 of 2 moved): GET /api/both. Clients get native's answers there; in shadow "
        "they would be compared first.",
        f"Warning: never compared, but skipped as {reason} (1 of 2 moved): POST /api/other. Clients get native's "
        f"answers there; {way}",
    ]
    put(store, LEGACY, BOTH.name, OTHER.name)
    assert warned_as_json(store, BOTH.name, OTHER.name, "verify") == {
        "never_compared": [BOTH.name, OTHER.name],
        "skipped_as": {OTHER.name: reason},
        "differing": [],
    }


def test_what_was_skipped_as_unsafe_before_its_effects_were_recorded_is_compared_now(store: SQLiteCutoverStore) -> None:
    counted(store, OTHER.name, "skipped", 7, reason="unsafe")
    counted(store, OTHER.name, "match", 1)
    assert warned(store, OTHER.name, "native") == []


@TO_NATIVE
@pytest.mark.parametrize("before", [LEGACY, SHADOW], ids=str)
def test_set_warns_of_what_differed(store: SQLiteCutoverStore, before: EndpointMode, mode: list[str]) -> None:
    counted(store, BOTH.name, "mismatch", 7)
    counted(store, BOTH.name, "mismatch", 1, mode="canary")
    counted(store, OTHER.name, "match", 5)
    counted(store, OTHER.name, "accepted", 2, reason="rounding")
    put(store, before, BOTH.name, OTHER.name)
    unguarded = ", and in native no guard takes them back" if mode == ["native"] else ""
    assert warned(store, BOTH.name, OTHER.name, *mode) == [
        "Warning: comparisons differed (1 of 2 moved): GET /api/both (8 of 8). Clients get native's answers there"
        f"{unguarded}; `tradewindow cutover mismatches` shows what differed. Once native is mended, `tradewindow "
        "cutover forget` lets the counts start over."
    ]
    put(store, before, BOTH.name, OTHER.name)
    assert warned_as_json(store, BOTH.name, OTHER.name, *mode) == {
        **NOTHING,
        "differing": [{"endpoint": BOTH.name, "mismatches": 8, "compared": 8}],
    }


def test_of_how_many_comparisons_they_are_counts_matches_and_accepted_ones_and_no_skips(
    store: SQLiteCutoverStore,
) -> None:
    counted(store, BOTH.name, "mismatch", 1)
    counted(store, BOTH.name, "match", 2)
    counted(store, BOTH.name, "accepted", 4, reason="rounding")
    counted(store, BOTH.name, "skipped", 8, reason="queue_full")
    put(store, CANARY, BOTH.name)
    (sentence,) = warned(store, BOTH.name, "native")
    assert "GET /api/both (1 of 7)" in sentence


@pytest.mark.parametrize("mode", [["legacy"], ["shadow"], ["verify"], ["canary", "--percent=5"], ["native"]])
@pytest.mark.parametrize("has_differed", [False, True])
def test_set_warns_of_none_on_the_way_back(store: SQLiteCutoverStore, mode: list[str], has_differed: bool) -> None:
    if has_differed:
        counted(store, BOTH.name, "mismatch", 8)
    put(store, NATIVE, BOTH.name)
    assert warned(store, BOTH.name, *mode) == []
    put(store, NATIVE, BOTH.name)
    assert warned_as_json(store, BOTH.name, *mode) == NOTHING


@pytest.mark.parametrize("mode", ["legacy", "shadow"])
def test_set_warns_of_none_where_legacy_answers(store: SQLiteCutoverStore, mode: str) -> None:
    counted(store, BOTH.name, "mismatch", 8)
    put(store, CANARY, BOTH.name)
    assert warned(store, BOTH.name, mode) == []


@pytest.mark.parametrize("mode", [["shadow"], ["canary", "--percent=5"], ["verify"]], ids=lambda mode: str(mode[0]))
def test_set_warns_where_the_sample_rate_stays_0(store: SQLiteCutoverStore, mode: list[str]) -> None:
    counted(store, BOTH.name, "match", 1)
    put(store, EndpointMode(mode="legacy", sample_rate=0), BOTH.name)
    assert warned(store, BOTH.name, *mode) == [
        "Warning: the sample rate is 0 (1 of 1 moved): GET /api/both. Nothing is compared there; with --sample-rate 1 "
        "every request is."
    ]
    assert warned(store, BOTH.name, *mode, "--sample-rate=0.5") == []


def test_set_warns_of_none_that_stays(store: SQLiteCutoverStore) -> None:
    counted(store, BOTH.name, "mismatch", 8)
    put(store, CANARY, BOTH.name, OTHER.name)
    assert warned(store, BOTH.name, "canary") == []

import json
import timeit
from collections.abc import Callable
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Difference
from fastapi_app.cutover.comparing.verdict import MATCH, MAX_DIFFERENCES, Verdict, compare, compare_small
from tests.fastapi_app.cutover.comparing.seen import JSON, places, seen


def test_equal_observations_match() -> None:
    assert compare(seen(effects={"a": [1]}), seen(effects={"a": [1]}, side="native")) is MATCH


def test_a_status_differs() -> None:
    assert compare(seen(status=200), seen(status=201)).differences == (
        Difference(path="status", primary=200, candidate=201),
    )


def test_all_places_are_told_status_first() -> None:
    primary = seen('{"a":1}', status=200, headers=(*JSON, ("x-a", "1")), effects={"count": 1})
    candidate = seen('{"a":2}', status=500, headers=JSON, effects={"count": 2}, raised="KeyError: 'a'")
    assert places(compare(primary, candidate)) == ["status", "raised", "headers.x-a", "body.a", "effects.count"]


# Effects and exceptions


def test_effects_differ_under_a_path_of_theirs() -> None:
    primary = seen(effects={"ledger": {"default": [{"id": "trade-1"}]}, "calls": []})
    candidate = seen(effects={"ledger": {"default": [{"id": "trade-1"}, {"id": "trade-2"}]}, "calls": []})
    assert compare(primary, candidate).differences == (
        Difference(path="effects.ledger.default[1]", candidate={"id": "trade-2"}, primary_has=False),
    )


def test_effects_tell_numbers_and_booleans_apart() -> None:
    assert places(compare(seen(effects={"n": 1}), seen(effects={"n": True}))) == ["effects.n"]
    assert places(compare(seen(effects={"n": 1}), seen(effects={"n": 1.0}))) == ["effects.n"]
    assert compare(seen(effects={"a": 1, "b": (1,)}), seen(effects={"b": [1], "a": 1})) is MATCH


def test_who_raised_counts_also_where_both_answered_500() -> None:
    chosen, fell = seen(status=500), seen(status=500, raised="KeyError: 'a'")
    assert [str(difference) for difference in compare(chosen, fell).differences] == [
        "raised: primary nothing, candidate \"KeyError: 'a'\""
    ]
    assert compare(seen(raised="KeyError: 'a'"), seen(raised="KeyError: 'b'")) is MATCH
    assert places(compare(seen(raised="KeyError: 'a'"), seen(raised="TypeError: a"))) == ["raised"]


# Accepted differences


def rule(name: str, path: str, same: Callable[[Any, Any], bool] | None = None) -> AcceptedDifference:
    return AcceptedDifference(name=name, endpoint="*", path=path, reason="known", expires=date(2030, 1, 1), same=same)


def test_a_comparison_is_accepted_when_every_difference_is_covered() -> None:
    primary, candidate = seen('{"a":1,"b":1}'), seen('{"a":2,"b":2}')
    rules = [rule("of b", "body.b"), rule("of a", "body.a")]
    verdict = compare(primary, candidate, accepted=rules)
    assert (verdict.outcome, verdict.reason, len(verdict.differences)) == ("accepted", "of a", 2)
    assert compare(primary, candidate, accepted=rules[:1]) == Verdict(
        outcome="mismatch", differences=(Difference(path="body.a", primary=1, candidate=2),)
    )
    assert compare(primary, primary, accepted=rules) is MATCH


def test_a_rule_with_a_condition_covers_what_it_says_is_the_same() -> None:
    def asked(legacy: Any, native: Any) -> bool:
        seen_values.append((legacy, native))
        return str(native).startswith(str(legacy))

    seen_values: list[tuple[Any, Any]] = []
    rules = [rule("date", "body.**", same=asked)]
    legacy, native = seen('{"a":"2025-03-03","n":1.5}'), seen('{"a":"2025-03-03T00:00:00","n":1.50}', side="native")
    assert compare(legacy, native, accepted=rules).reason == "date"
    assert compare(native, legacy, accepted=rules).reason == "date"
    assert places(compare(seen('{"a":"2024-03-03","n":1.5}'), native, accepted=rules)) == ["body.a"]
    assert compare(seen('[1.5, 1e400, "x"]'), seen("[1.25, 1, {}]", side="native"), accepted=rules).differences
    assert seen_values == [
        *[("2025-03-03", "2025-03-03T00:00:00")] * 2,
        ("2024-03-03", "2025-03-03T00:00:00"),
        *[(1.5, 1.25), (float("inf"), 1), ("x", {})],
    ]


def test_a_condition_is_about_two_values_and_fails_safely() -> None:
    def same(legacy: Any, native: Any) -> bool:
        return bool(legacy[0] == native[0])

    rules = [rule("first", "body.a", same=same)]
    assert compare(seen('{"a":"xy"}'), seen('{"a":"xz"}'), accepted=rules).outcome == "accepted"
    assert places(compare(seen('{"a":"xy"}'), seen("{}"), accepted=rules)) == ["body.a"]
    assert places(compare(seen("{}"), seen('{"a":"xy"}'), accepted=rules)) == ["body.a"]
    assert places(compare(seen('{"a":1}'), seen('{"a":2}'), accepted=rules)) == ["body.a"]


def test_a_difference_behind_very_many_accepted_ones_is_found() -> None:
    primary = json.dumps({"list": [0] * 200, "z": 1})
    candidate = json.dumps({"list": [1] * 200, "z": 2})
    rules = [rule("lists", "body.list[*]")]
    assert places(compare(seen(primary), seen(candidate), accepted=rules)) == ["body.z"]
    verdict = compare(seen(primary), seen(candidate), accepted=[*rules, rule("z", "body.z")])
    assert (verdict.outcome, len(verdict.differences)) == ("accepted", MAX_DIFFERENCES + 1)


def test_an_equal_comparison_costs_microseconds() -> None:
    effects = {"windows": {"default": {"trades_today": 1, "halt": None}}, "ledger": {"default": [{"id": "trade-1"}]}}
    primary = seen('{"trades_today":1}', headers=(*JSON, ("date", "Mon")), effects=effects)
    candidate = seen(
        '{"trades_today":1}', headers=(*JSON, ("content-length", "18")), effects=json.loads(json.dumps(effects))
    )
    best = min(timeit.repeat(lambda: compare(primary, candidate), number=1_000, repeat=5)) / 1_000
    # About 5 µs where this was written; the bound is for a busy machine.
    assert best < 200e-6


def test_what_is_small_is_compared_at_once_and_what_is_large_is_not() -> None:
    body, other_body = '{"a":1}', '{"a":2}'
    assert compare_small(seen(body), seen(other_body), below=14) is None
    assert compare_small(seen(body), seen(other_body), below=15) == compare(seen(body), seen(other_body))
    assert compare_small(seen("x" * 100), seen("x" * 100), below=15) is MATCH
    effects = {"calls": list(range(100))}
    assert compare_small(seen(effects=effects), seen(effects={"calls": []}), below=200) is None
    assert compare_small(seen(effects=effects), seen(effects={"calls": [*range(100)]}), below=200) is MATCH
    assert compare_small(seen(effects={"a": 1}), seen(effects={"a": 2}), below=200) == Verdict(
        outcome="mismatch", differences=(Difference(path="effects.a", primary=1, candidate=2),)
    )
    # Of what size these are isn't known.
    assert compare_small(seen(effects={"a": date(2025, 3, 3)}), seen(effects={}), below=200) is None


# Whatever comes

HEADER_TEXT = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=30)
HEADER_NAMES = st.sampled_from(["content-type", "allow", "set-cookie", "cache-control", "content-encoding", "x-a"])
HEADERS = st.lists(st.tuples(HEADER_NAMES, HEADER_TEXT | st.sampled_from(["a/b; charset*=utf-8''x", "gzip", ";=;"])))


@given(HEADERS, HEADERS, st.binary(max_size=20), st.binary(max_size=20))
def test_anything_can_be_compared(one: list[Any], other: list[Any], body: bytes, other_body: bytes) -> None:
    primary, candidate = seen(body, headers=tuple(one)), seen(other_body, headers=tuple(other))
    there, back = compare(primary, candidate), compare(candidate, primary)
    assert there.outcome == back.outcome
    assert {difference.path for difference in there.differences} == {difference.path for difference in back.differences}
    assert compare(primary, primary) is MATCH

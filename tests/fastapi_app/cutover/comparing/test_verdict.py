import gzip
import json
import time
import timeit
import zlib
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Difference, Observation, SeenAnswer
from fastapi_app.cutover.comparing.verdict import MATCH, MAX_DIFFERENCES, Verdict, compare, compare_small
from shared.modes import Side

JSON = (("content-type", "application/json"),)
TEXT = (("content-type", "text/plain; charset=utf-8"),)

Headers = tuple[tuple[str, str], ...]


def seen(
    body: str | bytes = "{}",
    *,
    status: int = 200,
    headers: Headers = JSON,
    effects: Mapping[str, Any] | None = None,
    raised: str | None = None,
    side: Side = "legacy",
) -> Observation:
    raw = body.encode() if isinstance(body, str) else body
    return Observation(
        side=side,
        answer=SeenAnswer(status=status, headers=headers, body=raw),
        effects=effects or {},
        raised=raised,
    )


def places(verdict: Verdict) -> list[str]:
    assert verdict.outcome in {"match", "mismatch"}
    assert (verdict.outcome == "mismatch") is bool(verdict.differences)
    return [difference.path for difference in verdict.differences]


def bodies(primary: str | bytes, candidate: str | bytes, headers: Headers = JSON) -> list[Difference]:
    return list(compare(seen(primary, headers=headers), seen(candidate, headers=headers)).differences)


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


# Headers


@pytest.mark.parametrize(
    ("primary", "candidate"),
    [
        ([("date", "Mon"), ("server", "a")], [("server", "b"), ("connection", "close"), ("x-request-id", "1")]),
        ([("transfer-encoding", "chunked")], [("content-length", "2"), ("x-cutover-side", "native")]),
        ([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]),
        ([("x-list", "1"), ("x-list", "2")], [("x-list", "1, 2")]),
        ([("content-type", "application/json")], [("content-type", "Application/JSON; Charset=UTF-8")]),
        ([("content-type", "application/problem+json")], [("content-type", "application/problem+json;charset=utf-8")]),
        ([("content-type", 'text/html; charset="utf-8"')], [("content-type", "text/html;charset=UTF-8")]),
        ([("allow", "GET, HEAD, POST")], [("allow", "POST,GET"), ("allow", "HEAD")]),
        ([("vary", "Accept, Cookie")], [("vary", "cookie,accept")]),
        ([("cache-control", "no-store, max-age=0")], [("cache-control", "max-age=0, No-Store")]),
        ([("set-cookie", "a=1; Path=/; HttpOnly"), ("set-cookie", "b=2")],
         [("set-cookie", "b=2"), ("set-cookie", "a=1; httponly; path=/")]),
        ([("set-cookie", "a=1; Max-Age=60; Expires=Mon, 03 Mar 2025 12:00:00 GMT")],
         [("set-cookie", "a=1; Max-Age=60; Expires=Mon, 03 Mar 2025 12:00:01 GMT")]),
        ([("set-cookie", "a=1; SameSite=Lax")], [("set-cookie", "a=1; samesite=lax")]),
    ],
)  # fmt: skip
def test_headers_of_equal_meaning_match(primary: list[tuple[str, str]], candidate: list[tuple[str, str]]) -> None:
    for one, other in ((primary, candidate), (candidate, primary)):
        assert compare(seen(headers=tuple(one)), seen(headers=tuple(other))) is MATCH


@pytest.mark.parametrize(
    ("primary", "candidate", "difference"),
    [
        ("content-type: application/json", "content-type: text/html",
         Difference(path="headers.content-type", primary="application/json", candidate="text/html")),
        ("content-type: text/html; charset=utf-8", "content-type: text/html",
         Difference(path="headers.content-type", primary="text/html; charset=utf-8", candidate="text/html")),
        ("content-type: application/json", "content-type: application/json; charset=latin-1",
         Difference(path="headers.content-type", primary="application/json",
                    candidate="application/json; charset=latin-1")),
        ("location: /a", "location: http://testserver/a",
         Difference(path="headers.location", primary="/a", candidate="http://testserver/a")),
        ("allow: GET", "allow: GET, HEAD", Difference(path="headers.allow", primary="GET", candidate="GET, HEAD")),
        ('etag: "1"', 'etag: W/"1"', Difference(path="headers.etag", primary='"1"', candidate='W/"1"')),
        ("retry-after: 1", "", Difference(path="headers.retry-after", primary="1", candidate_has=False)),
        ("", "www-authenticate: Basic",
         Difference(path="headers.www-authenticate", candidate="Basic", primary_has=False)),
        ("x-anything: 1", "x-anything: 2", Difference(path="headers.x-anything", primary="1", candidate="2")),
        ("x.y: 1", "", Difference(path='headers["x.y"]', primary="1", candidate_has=False)),
        ("set-cookie: a=1", "set-cookie: a=1; SameSite=lax",
         Difference(path="headers.set-cookie.a", primary="a=1", candidate="a=1; SameSite=lax")),
        ("set-cookie: a=1; Path=/A", "set-cookie: a=1; Path=/a",
         Difference(path="headers.set-cookie.a", primary="a=1; Path=/A", candidate="a=1; Path=/a")),
        ("set-cookie: a=1\nset-cookie: a=2", "set-cookie: a=2\nset-cookie: a=1",
         Difference(path="headers.set-cookie.a", primary="a=1, a=2", candidate="a=2, a=1")),
        ("set-cookie: a=1\nset-cookie: a=1", "set-cookie: a=1",
         Difference(path="headers.set-cookie.a", primary="a=1, a=1", candidate="a=1")),
        ("set-cookie: a=1", "", Difference(path="headers.set-cookie.a", primary="a=1", candidate_has=False)),
    ],
)  # fmt: skip
def test_a_header_that_a_client_can_tell_apart(primary: str, candidate: str, difference: Difference) -> None:
    def read(text: str) -> Headers:
        pairs = [line.partition(": ") for line in text.splitlines()]
        return tuple((name, value) for name, _, value in pairs)

    assert compare(seen(headers=read(primary)), seen(headers=read(candidate))).differences == (difference,)


def test_the_length_that_a_head_announces_is_no_difference() -> None:
    # Flask ends JSON with a newline.
    flask, fastapi = (seen(b"", headers=(*JSON, ("content-length", length))) for length in ("21", "20"))
    assert compare(flask, fastapi) is MATCH
    assert compare(flask, seen(b"")) is MATCH


def with_length(length: str, body: bytes, status: int = 200) -> Observation:
    return seen(body, status=status, headers=(*JSON, ("content-length", length)))


def test_a_length_that_contradicts_its_own_body() -> None:
    told = Difference(path="headers.content-length", primary="7 for 7 bytes", candidate="27 for 7 bytes")
    assert compare(with_length("7", b'{"a":1}'), with_length("27", b'{"a":1}')).differences == (told,)
    assert places(compare(with_length("", b"{}"), seen(b"{}"))) == ["headers.content-length"]
    assert places(compare(with_length("9" * 5_000, b"{}"), seen(b"{}"))) == ["headers.content-length"]
    # Each is right about its own.
    assert compare(with_length("7", b'{"a":1}'), with_length(" 008", b'{"a": 1}')) is MATCH
    # Both are wrong: no client got an answer from either.
    assert compare(with_length("1", b"{}"), with_length("3", b"{}")) is MATCH


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content_may_say_any_length(status: int) -> None:
    assert compare(with_length("2", b"{}", status), with_length("27", b"{}", status)) is MATCH


@pytest.mark.parametrize("status", [204, 304])
def test_the_type_of_no_content_is_not_compared(status: int) -> None:
    flask = seen(b"", status=status, headers=(("content-type", "text/html; charset=utf-8"), ("x-a", "1")))
    assert compare(flask, seen(b"", status=status, headers=(("x-a", "1"),))) is MATCH
    assert places(compare(flask, seen(b"", status=status))) == ["headers.x-a"]
    assert places(compare(flask, seen(b"", status=200))) == ["status", "headers.content-type", "headers.x-a"]


def test_a_hostile_content_type_takes_no_time() -> None:
    started = time.perf_counter()
    hostile = seen(headers=(("content-type", 'a/b;"' + ";" * 64_000),))
    assert places(compare(hostile, seen())) == ["headers.content-type"]
    # About 5 s by a parser of headers.
    assert time.perf_counter() - started < 0.5


# Bodies


@pytest.mark.parametrize(
    ("primary", "candidate"),
    [
        ('{"a":1,"b":2}\n', '{ "b": 2, "a": 1 }'),
        ('{"a":"é"}', '{"a":"\\u00e9"}'),
        ('{"a":0.1}', '{"a":0.10}'),
        ('{"a":1e2}', '{"a":100.0}'),
        ('{"a":0.0}', '{"a":-0.00}'),
        ('{"a":NaN}', '{"a": NaN}'),
        ('{"a":[Infinity,-Infinity]}', '{"a": [Infinity, -Infinity]}'),
        ('{"a":1e400000}', '{"a":10e399999}'),
    ],
)
def test_json_of_equal_values_matches(primary: str, candidate: str) -> None:
    assert bodies(primary, candidate) == []


@pytest.mark.parametrize(
    ("primary", "candidate", "difference"),
    [
        ('{"a":1}', '{"a":2}', Difference(path="body.a", primary=1, candidate=2)),
        ('{"a":1}', '{"a":1.0}', Difference(path="body.a", primary=1, candidate=1.0)),
        ('{"a":1}', '{"a":true}', Difference(path="body.a", primary=1, candidate=True)),
        ('{"a":0}', '{"a":false}', Difference(path="body.a", primary=0, candidate=False)),
        ('{"a":"1"}', '{"a":1}', Difference(path="body.a", primary="1", candidate=1)),
        ('{"a":0.1}', '{"a":0.10000000000000000001}',
         Difference(path="body.a", primary=0.1, candidate="0.10000000000000000001")),
        ('{"a":NaN}', '{"a":"NaN"}', Difference(path="body.a", primary="NaN", candidate="NaN")),
        ('{"a":null}', "{}", Difference(path="body.a", primary=None, candidate_has=False)),
        ("{}", '{"a":null}', Difference(path="body.a", candidate=None, primary_has=False)),
        ('{"a":{"b":[1,{"c":"x"}]}}', '{"a":{"b":[1,{"c":"y"}]}}',
         Difference(path="body.a.b[1].c", primary="x", candidate="y")),
        ('{"a b":1}', '{"a b":2}', Difference(path='body["a b"]', primary=1, candidate=2)),
        ('{"":1}', '{"":2}', Difference(path='body[""]', primary=1, candidate=2)),
        ('{"é\\"":1}', '{"é\\"":2}', Difference(path='body["\\u00e9\\""]', primary=1, candidate=2)),
        ("[1]", '{"0":1}', Difference(path="body", primary=[1], candidate={"0": 1})),
        ("[]", "{}", Difference(path="body", primary=[], candidate={})),
        ('{"a":{}}', '{"a":{"b":[1.5,true]}}', Difference(path="body.a.b", candidate=[1.5, True], primary_has=False)),
        ('"a"', '"b"', Difference(path="body", primary="a", candidate="b")),
        ('{"a":"\\ud800"}', '{"a":"b"}', Difference(path="body.a", primary="\\ud800", candidate="b")),
    ],
)  # fmt: skip
def test_a_value_of_json_differs(primary: str, candidate: str, difference: Difference) -> None:
    found = bodies(primary, candidate)
    assert found == [difference]
    # Dataclasses hold 1 and 1.0 for equal.
    assert repr(found) == repr([difference])


def test_values_of_a_difference_are_short_and_fit_for_json() -> None:
    (text,) = bodies(json.dumps({"a": "x" * 1_000}), '{"a":""}')
    assert text.primary == "x" * 199 + "…"
    (long,) = bodies(json.dumps({"a": list(range(1_000))}), '{"a":null}')
    assert len(long.primary) == 200
    assert long.primary.startswith("[0, 1, 2")
    (number,) = bodies('{"a":' + "9" * 1_000 + "}", '{"a":0}')
    assert number.primary == "9" * 199 + "…"


@pytest.mark.parametrize(
    ("primary", "candidate", "expected"),
    [
        ([1, 2, 3], [1, 9, 2, 3], ["body[1]: primary nothing, candidate 9"]),
        ([1, 9, 2, 3], [1, 2, 3], ["body[1]: primary 9, candidate nothing"]),
        ([1, 2, 3], [2, 3, 4], ["body[0]: primary 1, candidate nothing", "body[2]: primary nothing, candidate 4"]),
        ([1, 1, 1], [1, 1], ["body[2]: primary 1, candidate nothing"]),
        ([{"id": 1, "n": 1}, {"id": 2, "n": 1}], [{"id": 1, "n": 1}, {"id": 2, "n": 2}],
         ["body[1].n: primary 1, candidate 2"]),
        ([{"n": 1}, {"n": 2}, {"n": 3}], [{"n": 10}, {"n": 20}, {"n": 30}],
         [f"body[{index}].n: primary {index + 1}, candidate {index + 1}0" for index in range(3)]),
        (["a", {"n": 1}, "z"], ["a", "new", {"n": 2}, "z"],
         ["body[1]: primary {'n': 1}, candidate 'new'", "body[2]: primary nothing, candidate {'n': 2}"]),
    ],
)  # fmt: skip
def test_lists_are_aligned(primary: list[Any], candidate: list[Any], expected: list[str]) -> None:
    assert [str(difference) for difference in bodies(json.dumps(primary), json.dumps(candidate))] == expected


def test_one_element_more_in_a_long_list_is_one_difference() -> None:
    elements = [{"id": number, "price": "1.5"} for number in range(5_000)]
    longer = [*elements[:2_500], {"id": -1}, *elements[2_500:]]
    assert [str(difference) for difference in bodies(json.dumps(elements), json.dumps(longer))] == [
        "body[2500]: primary nothing, candidate {'id': -1}"
    ]


def test_long_lists_are_paired_by_position_where_they_differ_much() -> None:
    ours = list(range(300))
    theirs = [-1 if number in (0, 150, 299) else number for number in ours]
    assert [difference.path for difference in bodies(json.dumps(ours), json.dumps(theirs))] == [
        "body[0]",
        "body[150]",
        "body[299]",
    ]


def test_long_lists_with_nothing_in_common_cost_little() -> None:
    ours, theirs = json.dumps(list(range(20_000))), json.dumps([0.5] * 20_000)
    assert timeit.timeit(lambda: bodies(ours, theirs), number=1) < 2


def test_the_differences_are_bounded_and_the_rest_is_counted() -> None:
    found = bodies(json.dumps({str(key): 0 for key in range(200)}), json.dumps({str(key): 1 for key in range(200)}))
    assert len(found) == MAX_DIFFERENCES + 1
    assert str(found[-1]) == "and 150 more"
    found = bodies(json.dumps([0] * 5_000), json.dumps([1] * 5_000))
    assert str(found[-1]) == "and more than 950 more"


def test_a_key_that_comes_twice_is_compared_as_text() -> None:
    assert bodies('{"a":1,"a":2}', '{"a":1,"a":2}') == []
    assert [str(difference) for difference in bodies('{"a":1,"a":2}', '{"a":2}')] == [
        """body: primary 'line 1: {"a":1,"a":2}', candidate 'line 1: {"a":2}'"""
    ]


@pytest.mark.parametrize("depth", [150, 600, 5_000, 200_000])
def test_deep_json_is_compared_without_an_error(depth: int) -> None:
    deep = "[" * depth + "1" + "]" * depth
    assert bodies(deep, deep) == []
    found = bodies(deep, deep.replace("1", "2"))
    assert len(found) == 1
    assert found[0].path.startswith("body")


def test_effects_too_deep_to_be_compared_are_a_difference() -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    assert places(compare(seen(effects={"a": deep}), seen(effects={"a": [deep]}))) == ["effects"]


def test_a_number_beyond_any_decimal_is_compared_as_text() -> None:
    assert [difference.path for difference in bodies('{"a":1e99999999999}', '{"a": 1e99999999999}')] == ["body"]
    assert [difference.path for difference in bodies("9" * 5_000, " " + "9" * 5_000)] == ["body"]


def test_json_is_what_says_so() -> None:
    assert bodies("1", " 1", TEXT) == [Difference(path="body", primary="line 1: 1", candidate="line 1:  1")]
    assert places(compare(seen('{"a": 1}'), seen('{"a":1}', headers=TEXT))) == ["headers.content-type"]
    assert places(compare(seen("<h1>"), seen("{}"))) == ["body"]
    assert bodies('\ufeff{"a":1}', '{"a":1}') != []


def test_text_shows_the_first_line_that_differs() -> None:
    assert bodies("one\ntwo\nthree", "one\ntwo!\nthree", TEXT) == [
        Difference(path="body", primary="line 2: two", candidate="line 2: two!")
    ]
    (found,) = bodies("a" * 1_000 + "b" + "c" * 1_000, "a" * 1_000 + "d" + "c" * 1_000, TEXT)
    assert found.primary == "line 1: …" + "a" * 40 + "b" + "c" * 119 + "…"


@pytest.mark.parametrize("other", ["1", "{}", '{"a":1}', "[]", '{"a":[]}'])
def test_json_nested_to_the_interpreter_s_limit(other: str) -> None:
    for depth in range(900, 1_010):
        for deep in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            assert bodies(deep, other)
            assert bodies(other, deep)


def test_bytes_show_the_first_place_that_differs() -> None:
    assert bodies(b"\xff\x00\x01\x02", b"\xff\x00\x07", ()) == [
        Difference(path="body", primary="byte 2: ff 00 [01 02]", candidate="byte 2: ff 00 [07]")
    ]
    assert bodies(b"\xff", b"\xff\x00", ()) == [
        Difference(path="body", primary="byte 1: ff []", candidate="byte 1: ff [00]")
    ]


def test_no_body_against_one() -> None:
    assert bodies("", "text", TEXT) == [Difference(path="body", candidate="text", primary_has=False)]
    assert bodies("text", "", TEXT) == [Difference(path="body", primary="text", candidate_has=False)]


def test_compressed_bodies_are_compared_by_what_is_in_them() -> None:
    headers = (*JSON, ("content-encoding", "gzip"))

    def packed(text: str, seconds: int) -> Observation:
        return seen(gzip.compress(text.encode(), mtime=seconds), headers=headers)

    assert compare(packed('{"a":1}', 1), packed('{"a": 1}', 2)) is MATCH
    assert places(compare(packed('{"a":1}', 1), packed('{"a":2}', 1))) == ["body.a"]
    assert places(compare(packed('{"a":1}', 1), seen('{"a":1}'))) == ["headers.content-encoding"]
    assert places(compare(seen("{}", headers=headers), seen('{"a":1}', headers=headers))) == ["body.a"]


@pytest.mark.parametrize(
    ("coding", "readable", "unreadable"),
    [
        ("gzip", gzip.compress(b"{}"), b"{}"),
        ("GZIP", gzip.compress(b"{}"), zlib.compress(b"{}")),
        ("x-gzip", gzip.compress(b"{}"), gzip.compress(b"{}")[:-1]),
        ("gzip", gzip.compress(b""), b"x"),
        ("deflate", zlib.compress(b"{}"), gzip.compress(b"{}")),
        ("deflate", zlib.compress(b"{}")[2:-4], b"{}"),
    ],
)
def test_a_body_that_no_client_can_unpack(coding: str, readable: bytes, unreadable: bytes) -> None:
    headers = (*JSON, ("content-encoding", coding))
    told = f"is no {coding.lower()}, though Content-Encoding says so"
    assert bodies(readable, unreadable, headers) == [Difference(path="body", primary="can be read", candidate=told)]
    assert bodies(unreadable, readable, headers) == [Difference(path="body", primary=told, candidate="can be read")]
    claimed, plain = seen(unreadable, headers=headers), seen(b"{ }")
    assert places(compare(claimed, plain)) == ["headers.content-encoding", "body"]


def test_both_forms_of_deflate_and_other_codings_are_no_difference_by_themselves() -> None:
    deflate = (*JSON, ("content-encoding", "deflate"))
    assert bodies(zlib.compress(b"{}"), zlib.compress(b"{}")[2:-4], deflate) == []
    assert bodies("{}", "{ }", (*JSON, ("content-encoding", "br"))) == []
    two_members = gzip.compress(b"{}", mtime=0) + gzip.compress(b" ", mtime=0)
    assert bodies(two_members, two_members, (*JSON, ("content-encoding", "gzip"))) == []


def test_what_inflates_without_end_is_compared_as_it_is() -> None:
    headers = (*JSON, ("content-encoding", "gzip"))
    bombs = [seen(gzip.compress(b" " * 2**25 + tail, mtime=0), headers=headers) for tail in (b"1", b"2")]
    assert places(compare(*bombs)) == ["body"]


# Effects and exceptions


def test_a_number_is_no_object_that_looks_like_one() -> None:
    assert [difference.path for difference in bodies("[1.5,9]", r'[{"\u0000number":"1.5"},9]')] == ["body[0]"]
    assert [difference.path for difference in bodies("[1.5,9]", '[[NaN,"1.5"],9]')] == ["body[0]"]


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

NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -0.0, 1e300, float("nan"), float("inf")])
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=3)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=6) | st.dictionaries(st.text(max_size=2), v, max_size=4))


def strictly_equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[key], other[key]) for key in one)
    return bool(one == other or (one != one and other != other))


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(each) for each in value] if isinstance(value, list) else value


@given(VALUES, VALUES)
def test_json_matches_exactly_where_its_values_are_the_same(one: Any, other: Any) -> None:
    text, other_text = json.dumps(one), json.dumps(other)
    assert (bodies(text, other_text) == []) is strictly_equal(one, other)
    assert (compare(seen(effects={"a": one}), seen(effects={"a": other})) is MATCH) is strictly_equal(one, other)
    assert bodies(text, json.dumps(shuffled(one), indent=1, ensure_ascii=False)) == []


@pytest.mark.parametrize("deep", ["[" * 900 + "1" + "]" * 900, '{"a":' * 900 + "1" + "}" * 900], ids=["list", "object"])
def test_json_that_is_nested_deeply_matches_whatever_its_white_space(deep: str) -> None:
    assert bodies(deep, f" {deep}") == []
    (difference,) = bodies(deep, deep.replace("1", "true"))
    assert difference.path.startswith("body")


@given(VALUES, st.data())
def test_one_change_is_one_difference_that_points_at_it(value: Any, data: st.DataObject) -> None:
    body = {"a": [value, "changed", value], "b": value}
    place = data.draw(st.sampled_from(["a", "b", "new"]))
    changed: dict[str, Any] = {**body, place: "other" if place != "a" else [value, "other", value]}
    (difference,) = bodies(json.dumps(body), json.dumps(changed))
    assert difference.path in {"a": {"body.a[1]"}, "b": {"body.b"}, "new": {"body.new"}}[place]
    json.dumps([difference.primary, difference.candidate], allow_nan=False)


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

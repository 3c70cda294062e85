import gzip
import json
import timeit
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_app.cutover.comparing.observation import Difference, Observation
from fastapi_app.cutover.comparing.verdict import MATCH, MAX_DIFFERENCES, compare
from tests.fastapi_app.cutover.comparing.seen import JSON, TEXT, Headers, bodies, places, seen


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


@pytest.mark.parametrize(
    ("primary", "candidate", "told"),
    [
        ("hello\n", "hello", r"body: primary 'line 1: hello\n', candidate 'line 1: hello'"),
        ("one\ntwo", "one\ntwo\nthree", r"body: primary 'line 2: two', candidate 'line 2: two\n'"),
        ("one\n", "one\n\n", r"body: primary 'line 2: ', candidate 'line 2: \n'"),
        ("one\n", "one\r\n", r"body: primary 'line 1: one', candidate 'line 1: one\r'"),
        ("one\ntwo", "onetwo", "body: primary 'line 1: one', candidate 'line 1: onetwo'"),
    ],
)
def test_a_newline_is_shown_where_it_is_what_differs(primary: str, candidate: str, told: str) -> None:
    assert [str(difference) for difference in bodies(primary, candidate, TEXT)] == [told]


@pytest.mark.parametrize("headers", [TEXT, JSON])
def test_texts_that_look_alike_are_told_by_their_escapes(headers: Headers) -> None:
    composed, decomposed = '"caf\u00e9"', '"cafe\u0301"'
    (found,) = bodies(composed, decomposed, headers)
    assert r"caf\xe9" in found.between("legacy", "native").partition(", native ")[0]
    assert r"cafe\u0301" in found.between("legacy", "native").partition(", native ")[2]
    (other,) = bodies(composed, '"caf\u00e8"', headers)
    assert "café" in str(other)


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
    ids=["plain", "zlib", "cut", "empty and plain", "gzip", "plain for deflate"],
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


def test_a_number_is_no_object_that_looks_like_one() -> None:
    assert [difference.path for difference in bodies("[1.5,9]", r'[{"\u0000number":"1.5"},9]')] == ["body[0]"]
    assert [difference.path for difference in bodies("[1.5,9]", '[[NaN,"1.5"],9]')] == ["body[0]"]


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

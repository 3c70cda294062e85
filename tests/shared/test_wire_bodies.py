"""Which bodies are read at all, what is refused first, and that whatever comes, a query too, is read or refused."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from shared.errors import InvalidField, MalformedBody, TradingWindowError, UnsupportedMediaType
from shared.wire import answer_to, read_config_change, read_mapping, read_trade, read_trades_query, require_json
from tests.shared.trade_bodies import DECIMAL_RULE, JSON, SYMBOL_RULE, TRADE, refusal_of, trade_body, trade_body_with

KNOWN_TRADE_FIELDS = "expected: the known fields are symbol, side, quantity, price, strategy"


@pytest.mark.parametrize(
    "content_type",
    [
        *["application/json", "Application/JSON", " application/json ", "application/json; charset=utf-8"],
        *["application/vnd.api+json", "application/+json", "application/json;", "APPLICATION/X+JSON;v"],
    ],
)
def test_content_types_of_json(content_type: str) -> None:
    require_json(content_type)
    assert read_trade(content_type, trade_body()).symbol == "BTC-USD"
    assert flask_takes_for_json(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        *("", ";", "json", "+json", "text/plain", "text/json", "text/x+json", "text/plain; application/json"),
        *("application/", "application/jsonp", "application/json+x", "application/json, text/plain"),
    ],
)
def test_content_types_that_are_not_json(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        require_json(content_type)
    assert str(caught.value) == f"Content-Type: {json.dumps(content_type)} is not application/json"
    assert refusal_of(trade_body(), content_type) == str(caught.value)
    assert not flask_takes_for_json(content_type)


def test_a_missing_content_type_is_not_json() -> None:
    with pytest.raises(UnsupportedMediaType, match=r"^Content-Type: missing is not application/json$"):
        read_config_change(None, b"{}")


def flask_takes_for_json(content_type: str) -> bool:
    return Request(EnvironBuilder(method="POST", content_type=content_type).get_environ()).is_json


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is not JSON at line 1, column 1"),
        (b"  \n ", "it is not JSON at line 2, column 2"),
        (b"nope", "it is not JSON at line 1, column 1"),
        (b'{"symbol": ', "it is not JSON at line 1, column 12"),
        (b"{'symbol': 1}", "it is not JSON at line 1, column 2"),
        (b"{} {}", "it is not JSON at line 1, column 4"),
        (b'{"a": "\x01"}', "it is not JSON at line 1, column 8"),
        (b'{"a": 01}', "it is not JSON at line 1, column 8"),
        (b'{"a": 1.}', "it is not JSON at line 1, column 8"),
        (b'{"a": +1}', "it is not JSON at line 1, column 7"),
        (b"\xef\xbb\xbf{}", "it is not JSON at line 1, column 1"),
        (b'{"symbol": "\xff"}', "it is not UTF-8"),
        (b'{"symbol": "\xed\xa0\x80"}', "it is not UTF-8"),
        ("{}".encode("utf-16"), "it is not UTF-8"),
        (b"null", "it is not a JSON object"),
        (b"[]", "it is not a JSON object"),
        (b'[{"symbol": "A"}]', "it is not a JSON object"),
        (b'"text"', "it is not a JSON object"),
        (b"5", "it is not a JSON object"),
        (b"1.5", "it is not a JSON object"),
        (b"true", "it is not a JSON object"),
        (b"NaN", "NaN is not a JSON number"),
        (b'{"quantity": NaN}', "NaN is not a JSON number"),
        (b'{"x": [Infinity]}', "Infinity is not a JSON number"),
        (b'{"x": {"y": -Infinity}}', "-Infinity is not a JSON number"),
        (b'{"side": "buy", "symbol": "A", "side": "buy"}', 'the key "side" is there more than once'),
        (b'{"x": [{"\\ud800": 1, "\\ud800": 2}]}', r'the key "\ud800" is there more than once'),
        (b'{"quantity": ' + b"9" * 5000 + b"}", "it holds a number that is too long"),
        (b'{"quantity": 1e99999999999999999999}', "it holds a number that is too long"),
        (b"[" * 257, "its objects and lists are more than 256 deep"),
        (b'{"a":' * 129 + b"[" * 128, "its objects and lists are more than 256 deep"),
        (b'{"a": ["[]", "\\"]", {}, ' + b"[" * 255, "its objects and lists are more than 256 deep"),
        (b'{"a": [' + b"{}," * 4_095 + b"]}", "it holds more than 4096 objects and lists"),
        (b"[" * 10_000_000, "it holds more than 4096 objects and lists"),
        (b'{"' + b"[" * 300, "it is not JSON at line 1, column 2"),
        (b'{"a": "' + b'\\"' * 1_000_000 + b"[" * 300, "it is not JSON at line 1, column 7"),
        (b"]" * 300 + b"[" * 300, "it is not JSON at line 1, column 1"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value[:20]),
)
def test_malformed_bodies(body: bytes, problem: str) -> None:
    for read in (read_trade, read_config_change):
        with pytest.raises(MalformedBody) as caught:
            read(JSON, body)
        assert str(caught.value) == f"the body is malformed: {problem}"


def test_the_deepest_body_that_is_read_is_refused_for_its_field_alone() -> None:
    body = trade_body_with("symbol", "[" * 255 + "]" * 255)
    assert refusal_of(body) == f"symbol: {'[' * 80} is not {SYMBOL_RULE}"


def test_objects_and_lists_beside_one_another_are_no_depth_and_those_in_texts_are_none() -> None:
    given = {"a": [[{}, []]] * 1_000, "[": '"' + "[{" * 10_000}
    assert read_mapping(JSON, json.dumps(given).encode()) == given


def test_a_key_that_is_there_twice_at_different_depths_is_fine() -> None:
    assert refusal_of(trade_body(symbol={"symbol": {"side": 1}})).startswith('symbol: {"symbol": {"side": 1}} is not ')


@pytest.mark.parametrize(
    ("content_type", "body", "start"),
    [
        ("text/plain", b"", "Content-Type: "),
        ("text/plain", b'{"symbol": NaN}', "Content-Type: "),
        (None, b"[" * 1000, "Content-Type: "),
        (JSON, b'{"symbol": 5, "quantity": NaN}', "the body is malformed: "),
        (JSON, b'{"symbol": 5, "symbol": 5}', "the body is malformed: "),
        (JSON, b'{"colour": 1, "strategy": 5, "price": 0, "quantity": 0, "side": 0, "symbol": 0}', "symbol: 0 "),
        (JSON, b'{"colour": 1, "strategy": 5, "price": 0, "quantity": 0, "side": 0, "symbol": "A"}', "side: 0 "),
        (
            JSON,
            b'{"colour": 1, "strategy": 5, "price": 0, "quantity": 0, "side": "buy", "symbol": "A"}',
            "quantity: 0 ",
        ),
        (JSON, b'{"colour": 1, "strategy": 5, "price": 0, "quantity": 1, "side": "buy", "symbol": "A"}', "price: 0 "),
        (
            JSON,
            b'{"colour": 1, "strategy": 5, "price": 1, "quantity": 1, "side": "buy", "symbol": "A"}',
            "strategy: 5 ",
        ),
        (JSON, b'{"colour": 1, "price": 1, "quantity": 1, "side": "buy", "symbol": "A"}', "colour: 1 "),
        (JSON, b'{"price": 1, "quantity": 1, "side": "buy"}', "symbol: missing "),
        (JSON, b"{}", "symbol: missing "),
        (JSON, b'{"\\ud800": 1, "symbol": 5}', "symbol: 5 "),
    ],
)
def test_the_order_of_refusals(content_type: str | None, body: bytes, start: str) -> None:
    assert refusal_of(body, content_type).startswith(start)


def test_unknown_keys_come_last_and_by_name() -> None:
    assert refusal_of(trade_body(zebra=1, apple=[2], Symbol=3)) == f"Symbol: 3 is not {KNOWN_TRADE_FIELDS}"
    assert refusal_of(trade_body(zebra=1, apple=[2])) == f"apple: [2] is not {KNOWN_TRADE_FIELDS}"
    assert refusal_of(trade_body(**{"\ud800": 1})) == rf"\ud800: 1 is not {KNOWN_TRADE_FIELDS}"


def test_a_value_is_cut_at_80_characters() -> None:
    quote_and_79_letters = '"' + "x" * 79
    assert refusal_of(trade_body(symbol="x" * 81)) == f"symbol: {quote_and_79_letters} is not {SYMBOL_RULE}"
    assert refusal_of(trade_body(symbol="x" * 5_000_000)) == f"symbol: {quote_and_79_letters} is not {SYMBOL_RULE}"
    assert refusal_of(trade_body(symbol="x" * 78)) == f'symbol: "{"x" * 78}" is not {SYMBOL_RULE}'
    assert refusal_of(trade_body(price=int("9" * 4000))) == f"price: {'9' * 80} is not {DECIMAL_RULE}"
    assert refusal_of(trade_body(side=["x" * 500] * 50)) == f'side: ["{"x" * 78} is not "buy" or "sell"'


# anything at all


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(allow_nan=False).map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
trade_like_bodies = st.fixed_dictionaries(
    {}, optional={name: st.just(value) | json_values for name, value in TRADE.items()} | {"other": json_values}
).map(lambda value: json.dumps(value).encode())
config_like_bodies = st.dictionaries(
    st.sampled_from(["start_hour", "end_hour", "max_trades_per_day", "timezone"]) | st.text(), json_values, max_size=4
).map(lambda value: json.dumps(value).encode())
bodies = st.binary() | st.text().map(str.encode) | trade_like_bodies | config_like_bodies


@settings(max_examples=400, deadline=None)
@given(body=bodies, read=st.sampled_from([read_trade, read_config_change]))
def test_whatever_comes_is_read_or_refused(body: bytes, read: Callable[[str, bytes], BaseModel]) -> None:
    try:
        read(JSON, body)
    except TradingWindowError as error:
        assert_is_a_400_that_can_be_sent(error)


@settings(max_examples=400, deadline=None)
@given(
    query=st.binary()
    | st.lists(
        st.tuples(st.sampled_from(["date", "symbol", "limit", "x"]), st.text() | st.from_regex(r"[0-9+%-]{1,10}"))
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode(errors="replace"))
)
def test_whatever_is_asked_is_read_or_refused(query: bytes) -> None:
    try:
        read_trades_query(query)
    except InvalidField as error:
        assert_is_a_400_that_can_be_sent(error)


def assert_is_a_400_that_can_be_sent(error: TradingWindowError) -> None:
    status, body = answer_to(error)
    assert status == 400
    assert body["error"].isascii()
    assert body["error"].isprintable()
    assert len(body["error"]) < 400

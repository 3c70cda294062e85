import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from shared.clock import utc_text
from shared.errors import (
    BacktestFailed,
    BacktestTooLong,
    BodyTooLarge,
    BotIsRunning,
    BotIsStopped,
    BrokenStrategy,
    CalendarUnavailable,
    CandleFileError,
    ClientOrderIdReused,
    ConfigBeyondLegacy,
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientBalance,
    InvalidField,
    KeyReused,
    LeaseHeld,
    LeaseLost,
    MalformedBody,
    MarketUnavailable,
    NothingToReduce,
    OrderClosed,
    OrderOnItsWay,
    OtherAccount,
    OutcomeUnknown,
    PermitConflict,
    Reason,
    ReasonCode,
    Refused,
    ServedByLegacy,
    SettingsError,
    StoreUnavailable,
    TooManyBacktests,
    TooManyOpenOrders,
    TradingWindowError,
    UnknownOrder,
    UnknownPermit,
    UnknownStrategy,
    UnknownSymbol,
    UnknownWindow,
    UnsupportedMediaType,
    WindowExists,
)
from shared.store.base import IdempotencyKey
from shared.wire import (
    ConfigChange,
    TradeAnswer,
    TradeList,
    TradeRequest,
    TradesQuery,
    answer_to,
    read_config_change,
    read_idempotency_key,
    read_mapping,
    read_trade,
    read_trades_query,
    require_json,
)
from shared.wire_fields import plain_decimal

JSON = "application/json"
TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"}
DECIMAL_RULE = "a decimal greater than 0 with at most 18 digits on either side of the point"
SYMBOL_RULE = "a symbol such as BTC-USD: letters A-Z and digits in parts joined by dashes, at most 32 characters"
KNOWN_TRADE_FIELDS = "expected: the known fields are symbol, side, quantity, price, strategy"


def trade_body(**changes: Any) -> bytes:
    return json.dumps({**TRADE, **changes}).encode()


def trade_body_with(field: str, raw_value: str) -> bytes:
    """A trade's body in which one value is written as it stands."""
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in TRADE.items() if name != field]
    return ("{" + ", ".join([*members, f'"{field}": {raw_value}']) + "}").encode()


def refusal_of(body: bytes, content_type: str | None = JSON) -> str:
    with pytest.raises(TradingWindowError) as caught:
        read_trade(content_type, body)
    return str(caught.value)


# a trade


def test_a_trade_is_read_with_exact_decimals() -> None:
    request = read_trade(JSON, b'{"symbol":"BTC-USD","side":"buy","quantity":0.50,"price":"64250.10","strategy":"rsi"}')

    assert request == TradeRequest(
        symbol="BTC-USD", side="buy", quantity=Decimal("0.50"), price=Decimal("64250.10"), strategy="rsi"
    )
    assert plain_decimal(request.quantity) == "0.50"
    assert plain_decimal(request.price) == "64250.10"


def test_an_absent_strategy_is_the_same_as_null() -> None:
    absent = b'{"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10"}'
    assert read_trade(JSON, absent) == read_trade(JSON, trade_body(strategy=None))
    assert read_trade(JSON, absent).strategy is None


@pytest.mark.parametrize("symbol", ["A", "BTC", "BTC-USD", "1INCH-USD", "A-B-C", "A" * 32, "0"])
def test_symbols_that_are_taken(symbol: str) -> None:
    assert read_trade(JSON, trade_body(symbol=symbol)).symbol == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        *["", "btc-usd", "BTC/USD", "-BTC", "BTC-", "BTC--USD", "-", "BTC USD", "BTC-USD\n", "A" * 33],
        *["ÄBC", "\uff11", "\ud800"],
    ],
)
def test_symbols_that_are_refused(symbol: str) -> None:
    sentence = refusal_of(trade_body(symbol=symbol))
    assert sentence == f"symbol: {json.dumps(symbol)} is not {SYMBOL_RULE}"


@pytest.mark.parametrize("side", ['"BUY"', '" buy"', '""', "1", "null", "true", "[]", '["buy"]', "{}"])
def test_sides_that_are_refused(side: str) -> None:
    assert refusal_of(trade_body_with("side", side)) == f'side: {side} is not "buy" or "sell"'


@pytest.mark.parametrize("strategy", ["r", "mean reversion", "стратегия", "😀", "x" * 64, "😀" * 64])
def test_strategies_that_are_taken(strategy: str) -> None:
    assert read_trade(JSON, trade_body(strategy=strategy)).strategy == strategy


@pytest.mark.parametrize("strategy", ["", "x" * 65, "a\nb", "a\x00", "a\u200b", "\ud800", "a\udfff", 5, 1.5, True, []])
def test_strategies_that_are_refused(strategy: object) -> None:
    sentence = refusal_of(trade_body(strategy=strategy))
    assert sentence == f"strategy: {json.dumps(strategy)} is not a text of 1 to 64 printable characters"


# decimals


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("1", "1"),
        ("1.50", "1.50"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("1.5e3", "1500"),
        ("1.0e1", "10"),
        ("5e-3", "0.005"),
        ("0.1", "0.1"),
        ("0.30000000000000000", "0.30000000000000000"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("1e-18", "0.000000000000000001"),
        ("1e17", "100000000000000000"),
        ("999999999999999999.999999999999999999", "999999999999999999.999999999999999999"),
        ("0.0000000000000000000000001e25", "1"),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_decimals_are_read_exactly_from_numbers_and_strings(raw: str, plain: str, quoted: bool) -> None:
    body = trade_body_with("price", f'"{raw}"' if quoted else raw)
    assert plain_decimal(read_trade(JSON, body).price) == plain


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.00", "0.00"),
        ("-1.5", "-1.5"),
        ("1000000000000000000", "1000000000000000000"),
        ("1e18", "1E+18"),
        ("1e-19", "1E-19"),
        ("0.5000000000000000000", "0.5000000000000000000"),
        ("1234567890123456789012345", "1234567890123456789012345"),
        ("0.1234567890123456789012345", "0.1234567890123456789012345"),
        ("1e999999", "1E+999999"),
        ("1e-999999", "1E-999999"),
        ("1e999999999999999999", "1E+999999999999999999"),
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ("[]", "[]"),
        ("[1.50]", '["1.50"]'),
        ("{}", "{}"),
    ],
)
def test_numbers_that_are_no_decimal(raw: str, shown: str) -> None:
    assert refusal_of(trade_body_with("quantity", raw)) == f"quantity: {shown} is not {DECIMAL_RULE}"


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", " 1", "1 ", "1\n", "\t1", "\uff11", "٣", "½", "\ud800"],
        *["abc", "+1", "-1", "0", "-0", "0.0", ".5", "5.", "1.e2", "01", "00.5", "1__0", "1_000", "1,5", "1,000", "1e"],
        *["1e+", "e5", "0x1", "0b1", "--1", "1.5.1", "1/2", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf"],
        *["true", "null", "1e999999", "1e-999999", "1e18", "1000000000000000000"],
        *["1e99999999999999999999", "1e-99999999999999999999", "0.0000000000000000001", "1.5.", "1 e2"],
    ],
)
def test_texts_that_are_no_decimal(text: str) -> None:
    assert refusal_of(trade_body(price=text)) == f"price: {json.dumps(text)} is not {DECIMAL_RULE}"


def test_no_decimal_context_of_the_host_changes_what_is_read() -> None:
    digits = "123456789012345678.123456789012345678"
    with localcontext(prec=3, Emax=10, Emin=-10) as context:
        context.clear_traps()
        assert plain_decimal(read_trade(JSON, trade_body(price=digits)).price) == digits
        sentence = refusal_of(trade_body(price="1e99999999999999999999"))
    assert sentence == f'price: "1e99999999999999999999" is not {DECIMAL_RULE}'


@settings(deadline=None)
@given(
    whole=st.from_regex(r"0|[1-9][0-9]{0,20}", fullmatch=True),
    fraction=st.from_regex(r"[0-9]{0,20}", fullmatch=True),
    shift=st.integers(-25, 25),
    written_shift=st.sampled_from(["e{}", "E{:+}", "e{:+04}"]),
    quoted=st.booleans(),
)
def test_a_decimal_is_taken_when_its_plain_form_fits_and_stays_digit_for_digit(
    whole: str, fraction: str, shift: int, written_shift: str, quoted: bool
) -> None:
    text = whole + ("." + fraction if fraction else "") + (written_shift.format(shift) if shift else "")
    plain_whole, plain_fraction = shifted(whole, fraction, shift)
    fits = len(plain_whole) <= 18 and len(plain_fraction) <= 18 and (plain_whole + plain_fraction).strip("0") != ""
    body = trade_body_with("price", f'"{text}"' if quoted else text)

    if fits:
        plain = plain_decimal(read_trade(JSON, body).price)
        assert plain == (f"{plain_whole}.{plain_fraction}" if plain_fraction else plain_whole)
    else:
        assert refusal_of(body).startswith("price: ")


def shifted(whole: str, fraction: str, shift: int) -> tuple[str, str]:
    """The digits before and after the point once it has moved, by strings alone."""
    digits = whole + fraction
    point = len(whole) + shift
    digits = "0" * max(0, 1 - point) + digits
    point = max(point, 1)
    digits = digits.ljust(point, "0")
    return digits[:point].lstrip("0") or "0", digits[point:]


# what is refused first


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


# a change of the config


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (b"{}", {}),
        (b'{"start_hour": 0}', {"start_hour": 0}),
        (b'{"end_hour": 24, "start_hour": 23}', {"start_hour": 23, "end_hour": 24}),
        (b'{"max_trades_per_day": 1000000}', {"max_trades_per_day": 1_000_000}),
    ],
)
def test_a_config_change_holds_what_was_given(body: bytes, changes: dict[str, int]) -> None:
    assert read_config_change(JSON, body).changes() == changes


KNOWN_CONFIG_FIELDS = "expected: the known fields are start_hour, end_hour, max_trades_per_day"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"start_hour": 24}', "start_hour: 24 is not a whole number from 0 to 23"),
        (b'{"start_hour": -1}', "start_hour: -1 is not a whole number from 0 to 23"),
        (b'{"start_hour": null}', "start_hour: null is not a whole number from 0 to 23"),
        (b'{"start_hour": true}', "start_hour: true is not a whole number from 0 to 23"),
        (b'{"start_hour": "5"}', 'start_hour: "5" is not a whole number from 0 to 23'),
        (b'{"start_hour": 5.0}', "start_hour: 5.0 is not a whole number from 0 to 23"),
        (b'{"start_hour": 5e0}', "start_hour: 5 is not a whole number from 0 to 23"),
        (b'{"end_hour": 25}', "end_hour: 25 is not a whole number from 0 to 24"),
        (b'{"end_hour": []}', "end_hour: [] is not a whole number from 0 to 24"),
        (b'{"max_trades_per_day": 1000001}', "max_trades_per_day: 1000001 is not a whole number from 0 to 1000000"),
        (b'{"max_trades_per_day": -1}', "max_trades_per_day: -1 is not a whole number from 0 to 1000000"),
        (b'{"timezone": "UTC"}', f'timezone: "UTC" is not {KNOWN_CONFIG_FIELDS}'),
        (b'{"timezone": "UTC", "a": 1, "end_hour": 9}', f"a: 1 is not {KNOWN_CONFIG_FIELDS}"),
        (b'{"a": 1, "end_hour": 99, "start_hour": 99}', "start_hour: 99 is not a whole number from 0 to 23"),
    ],
)
def test_config_changes_that_are_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_config_change(JSON, body)
    assert str(caught.value) == sentence


# a query


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", (None, None, 50)),
        (b"date=2024-02-29&symbol=BTC-USD&limit=500", ("2024-02-29", "BTC-USD", 500)),
        (b"limit=1&limit=x", (None, None, 1)),
        (b"limit=007", (None, None, 7)),
        (b"l%69mit=%35", (None, None, 5)),
        (b"&&limit=5&", (None, None, 5)),
        (b"Limit=x&colour=&%ff=%ff&\xff=\xff&=", (None, None, 50)),
    ],
)
def test_queries_that_are_taken(query: bytes, expected: tuple[str | None, str | None, int]) -> None:
    date, symbol, limit = expected
    assert read_trades_query(query) == TradesQuery.model_construct(date=date, symbol=symbol, limit=limit)


DATE_RULE = "a date, written YYYY-MM-DD"
LIMIT_RULE = "a whole number from 1 to 500"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (b"date=", f'date: "" is not {DATE_RULE}'),
        (b"date", f'date: "" is not {DATE_RULE}'),
        (b"date=2024-02-30", f'date: "2024-02-30" is not {DATE_RULE}'),
        (b"date=2023-02-29", f'date: "2023-02-29" is not {DATE_RULE}'),
        (b"date=0000-01-01", f'date: "0000-01-01" is not {DATE_RULE}'),
        (b"date=20240229", f'date: "20240229" is not {DATE_RULE}'),
        (b"date=2024-W09-4", f'date: "2024-W09-4" is not {DATE_RULE}'),
        (b"date=2024-2-9", f'date: "2024-2-9" is not {DATE_RULE}'),
        (b"date=2024-02-29+", f'date: "2024-02-29 " is not {DATE_RULE}'),
        (b"date=2024-02-29T00:00:00", f'date: "2024-02-29T00:00:00" is not {DATE_RULE}'),
        (b"date=%D9%A2024-02-29", rf'date: "\u0662024-02-29" is not {DATE_RULE}'),
        (b"symbol=", f'symbol: "" is not {SYMBOL_RULE}'),
        (b"symbol=btc", f'symbol: "btc" is not {SYMBOL_RULE}'),
        (b"symbol=BTC%0A", rf'symbol: "BTC\n" is not {SYMBOL_RULE}'),
        (b"symbol=%ff", rf'symbol: "\ufffd" is not {SYMBOL_RULE}'),
        (b"symbol=\xff", rf'symbol: "\ufffd" is not {SYMBOL_RULE}'),
        (b"limit=", f'limit: "" is not {LIMIT_RULE}'),
        (b"limit=0", f'limit: "0" is not {LIMIT_RULE}'),
        (b"limit=501", f'limit: "501" is not {LIMIT_RULE}'),
        (b"limit=-1", f'limit: "-1" is not {LIMIT_RULE}'),
        (b"limit=+5", f'limit: " 5" is not {LIMIT_RULE}'),
        (b"limit=%2B5", f'limit: "+5" is not {LIMIT_RULE}'),
        (b"limit=5.0", f'limit: "5.0" is not {LIMIT_RULE}'),
        (b"limit=1_0", f'limit: "1_0" is not {LIMIT_RULE}'),
        (b"limit=5;symbol=x", f'limit: "5;symbol=x" is not {LIMIT_RULE}'),
        (b"limit=%EF%BC%95", rf'limit: "\uff15" is not {LIMIT_RULE}'),
        (b"limit=x&limit=5", f'limit: "x" is not {LIMIT_RULE}'),
        (b"limit=" + b"9" * 5000, f'limit: "{"9" * 79} is not {LIMIT_RULE}'),
        (b"limit=0&symbol=x&date=x", f'date: "x" is not {DATE_RULE}'),
        (b"limit=0&symbol=x", f'symbol: "x" is not {SYMBOL_RULE}'),
        (b"&" * 1000, f'query: "{"&" * 79} is not a query of at most 1000 parameters'),
    ],
    ids=lambda value: str(value[:40]),
)
def test_queries_that_are_refused(query: bytes, sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_trades_query(query)
    assert str(caught.value) == sentence


# idempotency keys


def key_of(body: bytes) -> IdempotencyKey:
    key = read_idempotency_key("k", endpoint="POST /trades", request=read_trade(JSON, body))
    assert key is not None
    return key


def test_without_a_header_there_is_no_key() -> None:
    assert read_idempotency_key(None, endpoint="POST /trades", request=read_trade(JSON, trade_body())) is None


def test_a_fingerprint_stays_the_same_for_ever() -> None:
    """Kept with trades on disk: `printf '%s' '{"price": "64250.1", "quantity": "0.5", …}' | sha256sum`."""
    assert key_of(trade_body()) == IdempotencyKey(
        endpoint="POST /trades",
        value="k",
        fingerprint="cc2d38208c1a3bf2fab042f473e69d7e6003df47bdb77fa70700a05eeb0a9cae",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            b'{"quantity": 1.50, "price": 1, "side": "buy", "symbol": "A"}',
            b'{"symbol":"A","side":"buy","price":1,"quantity":1.5}',
        ),
        (trade_body(quantity="1.50"), trade_body(quantity=1.5)),
        (trade_body(quantity="1e2"), trade_body(quantity=100)),
        (trade_body(quantity="100.000"), trade_body(quantity="10.0e1")),
        (
            trade_body(strategy=None),
            b'{"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10"}',
        ),
    ],
)
def test_bodies_that_say_the_same_have_one_fingerprint(one: bytes, other: bytes) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (trade_body(quantity="10"), trade_body(quantity="1")),
        (trade_body(quantity="1", price="2"), trade_body(quantity="2", price="1")),
        (
            trade_body(price="100000000000000000.000000000000000001"),
            trade_body(price="100000000000000000.000000000000000002"),
        ),
        (trade_body(side="buy"), trade_body(side="sell")),
        (trade_body(strategy="1"), trade_body(strategy="1.0")),
        (trade_body(strategy="é"), trade_body(strategy="e\u0301")),
        (trade_body(strategy="None"), trade_body(strategy=None)),
    ],
)
def test_bodies_that_differ_have_two_fingerprints(one: bytes, other: bytes) -> None:
    assert key_of(one).fingerprint != key_of(other).fingerprint


@pytest.mark.parametrize("header", ["!", "~", "a-b_c:1", "k" * 255, '"quoted"'])
def test_headers_that_name_a_key(header: str) -> None:
    key = read_idempotency_key(header, endpoint="POST /trades", request=read_trade(JSON, trade_body()))
    assert key is not None
    assert key.value == header


@pytest.mark.parametrize("header", ["", " ", "a b", "k\n", "\x7f", "\x00", "é", "k" * 256])
def test_headers_that_name_no_key(header: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_idempotency_key(header, endpoint="POST /trades", request=read_trade(JSON, trade_body()))
    shown = json.dumps(header)[:80]
    assert str(caught.value) == f"Idempotency-Key: {shown} is not 1 to 255 visible ASCII characters"


def test_a_value_without_a_canonical_form_has_no_fingerprint() -> None:
    class Odd(BaseModel):
        at: datetime

    with pytest.raises(TypeError, match=r"^datetime has no canonical form$"):
        read_idempotency_key("k", endpoint="POST /odd", request=Odd(at=datetime(2024, 1, 2, tzinfo=UTC)))


# what is answered


def test_instants_are_written_in_utc_with_six_decimals() -> None:
    assert utc_text(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2024-01-02T03:04:05.000000Z"
    assert utc_text(datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "2024-01-02T03:04:05.000006Z"
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert utc_text(datetime(2024, 1, 1, 2, 0, tzinfo=kathmandu)) == "2023-12-31T20:15:00.000000Z"


def test_a_naive_instant_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"^instant: 2024-01-02T00:00:00 is not aware of its time zone$"):
        utc_text(datetime(2024, 1, 2))  # noqa: DTZ001 - the point of this test


OUTSIDE = Reason(
    code="OUTSIDE_HOURS", sentence="outside the trading window 9:00 - 17:00", value="17:00", bound="9:00 - 17:00"
)
LIMIT = Reason(code="DAILY_LIMIT", sentence="daily trade limit of 5 reached", value=5, bound=5)
HALTED = Reason(code="HALTED", sentence="halted: exchange down", value="exchange down", bound=None)


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (InvalidField("side", 1, '"buy" or "sell"'), 400, {"error": 'side: 1 is not "buy" or "sell"'}),
        (MalformedBody("it is not UTF-8"), 400, {"error": "the body is malformed: it is not UTF-8"}),
        (BotIsRunning(), 400, {"error": "the bot is running already"}),
        (BotIsStopped(), 400, {"error": "the bot is not running"}),
        (Refused(OUTSIDE), 403, {"error": "outside the trading window 9:00 - 17:00", "trading_hours": "9:00 - 17:00"}),
        (Refused(HALTED), 403, {"error": "halted: exchange down"}),
        (Refused(HALTED, OUTSIDE, LIMIT), 403, {"error": "halted: exchange down"}),
        (UnknownWindow("x"), 404, {"error": "no trading window is named 'x'"}),
        (
            Refused(LIMIT, OUTSIDE),
            409,
            {"error": "daily trade limit of 5 reached", "trades_today": 5, "max_trades_per_day": 5},
        ),
        (UnknownPermit("p-1"), 404, {"error": "no permit is named 'p-1'"}),
        (
            WindowExists("w"),
            409,
            {"error": "a trading window named 'w' is there already, with another config"},
        ),
        (
            PermitConflict("p-1", "in_doubt", "sent"),
            409,
            {"error": "permit 'p-1' is in doubt, and can't be sent any more"},
        ),
        (
            ServedByLegacy(("calendar", "blackouts"), ("GET /a", "POST /b")),
            409,
            {
                "error": "the old side doesn't know calendar, blackouts, and these endpoints are not in mode native: "
                "GET /a, POST /b; move them first (tradewindow cutover set ... native), or leave those keys out"
            },
        ),
        (
            ConfigBeyondLegacy(("calendar", "blackouts")),
            503,
            {"error": "the window's config needs the new side, for the old one doesn't know: calendar, blackouts"},
        ),
        (UnknownSymbol("DOGE"), 404, {"error": "no symbol is named 'DOGE'"}),
        (UnknownOrder("paper-1"), 404, {"error": "no order is named 'paper-1'"}),
        (
            OrderClosed("paper-1", "filled"),
            409,
            {"error": "order 'paper-1' is filled, and can't be cancelled any more"},
        ),
        (
            InsufficientBalance("USD", "100.05", "99.95"),
            409,
            {
                "error": "the order needs 100.05 USD, and 99.95 USD are available",
                "currency": "USD",
                "needed": "100.05",
                "available": "99.95",
            },
        ),
        (
            NothingToReduce("BTC-USD", "sell"),
            409,
            {"error": "no position in 'BTC-USD' is reduced by an order to sell"},
        ),
        (TooManyOpenOrders(500), 409, {"error": "500 orders are open, as many as may"}),
        (ClientOrderIdReused("c-1"), 422, {"error": 'client_order_id: "c-1" was used for another order'}),
        (CalendarUnavailable("XSTO", "no room"), 503, {"error": "the calendar XSTO can't be had: no room"}),
        (
            UnknownStrategy("x", ("ema_crossover", "rsi")),
            400,
            {"error": 'strategy: "x" is not one of ema_crossover, rsi'},
        ),
        (
            BrokenStrategy("x", "no module named y"),
            503,
            {"error": "the strategy 'x' can't be used: no module named y"},
        ),
        (BodyTooLarge(1_000_000), 413, {"error": "the body is larger than 1000000 bytes"}),
        (UnsupportedMediaType(None), 415, {"error": "Content-Type: missing is not application/json"}),
        (KeyReused("k"), 422, {"error": 'Idempotency-Key: "k" was used for a request with another body'}),
        (SettingsError("port: 0 is not a port"), 500, {"error": "port: 0 is not a port"}),
        (TradingWindowError("odd"), 500, {"error": "odd"}),
        (StoreUnavailable("disk full"), 503, {"error": "the store can't answer: disk full"}),
        (MarketUnavailable("no route"), 503, {"error": "the market can't answer: no route"}),
        (ExchangeUnavailable("no route"), 503, {"error": "the exchange can't answer: no route"}),
        (ExchangeRefused("InsufficientFunds", "too little"), 502, {"error": "the exchange refuses: too little"}),
        (
            OtherAccount("real money", "paper money"),
            409,
            {
                "error": "the bot trades real money, and this process would trade paper money: give it the settings of "
                "the bot ([broker], [market], [exchange]), or a store of its own (store.path)"
            },
        ),
        (
            OrderOnItsWay("key-1"),
            409,
            {"error": "an order with this key is on its way, and what comes of it isn't known yet"},
        ),
        (OutcomeUnknown("it broke"), 503, {"error": "nobody knows what came of it at the exchange: it broke"}),
        (
            CandleFileError(Path("btc.csv"), "it is not UTF-8"),
            500,
            {"error": "the candle file btc.csv can't be read: it is not UTF-8"},
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_answer_to_every_error(error: TradingWindowError, status: int, body: dict[str, Any]) -> None:
    assert answer_to(error) == (status, body)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CALENDAR_CLOSED", 403),
        ("CALENDAR_UNKNOWN", 403),
        ("BLACKOUT", 403),
        ("SYMBOL_LIMIT", 409),
        ("SIDE_LIMIT", 409),
        ("STRATEGY_LIMIT", 409),
        ("COOLDOWN", 409),
        ("SYMBOL_COOLDOWN", 409),
        ("PERMIT_LIMIT", 409),
    ],
)
def test_a_refusal_by_the_time_is_forbidden_and_one_by_what_happened_a_conflict(code: ReasonCode, status: int) -> None:
    refusal = Refused(Reason(code=code, sentence="not now", value=1, bound=1))
    assert answer_to(refusal) == (status, {"error": "not now"})


def test_every_error_has_its_answer() -> None:
    """A new error must be given a status here, or be one of those that mean a mistake of ours."""
    answered = {
        *(InvalidField, MalformedBody, UnsupportedMediaType, BodyTooLarge, KeyReused, UnknownWindow, UnknownPermit),
        *(WindowExists, PermitConflict, ServedByLegacy, ConfigBeyondLegacy, CalendarUnavailable, StoreUnavailable),
        *(BrokenStrategy, MarketUnavailable, ExchangeUnavailable, ExchangeRefused, OutcomeUnknown, CandleFileError),
        *(Refused, SettingsError, UnknownSymbol, UnknownOrder, OrderClosed, InsufficientBalance, NothingToReduce),
        *(TooManyOpenOrders, ClientOrderIdReused, OrderOnItsWay, BotIsRunning, BotIsStopped, OtherAccount),
        # Which process runs the bot is no request's business.
        *(LeaseHeld, LeaseLost),
        *(TooManyBacktests, BacktestTooLong, BacktestFailed),
    }
    ours = {kind for kind in TradingWindowError.__subclasses__() if kind.__module__.startswith("shared.errors.")}
    assert ours == answered


def test_documents_say_the_rules() -> None:
    trade = TradeRequest.model_json_schema()
    assert list(trade["properties"]) == ["symbol", "side", "quantity", "price", "strategy"]
    assert trade["required"] == ["symbol", "side", "quantity", "price"]
    assert trade["additionalProperties"] is False
    assert [field["description"] for field in trade["properties"].values()] == [
        SYMBOL_RULE,
        '"buy" or "sell"',
        DECIMAL_RULE,
        DECIMAL_RULE,
        "a text of 1 to 64 printable characters",
    ]
    change = ConfigChange.model_json_schema()
    assert "required" not in change
    assert [(field["type"], field["description"]) for field in change["properties"].values()] == [
        ("integer", "a whole number from 0 to 23"),
        ("integer", "a whole number from 0 to 24"),
        ("integer", "a whole number from 0 to 1000000"),
    ]
    assert TradesQuery.model_json_schema()["properties"]["limit"]["maximum"] == 500


def test_a_trade_without_trade_data_can_be_answered() -> None:
    trade = dict.fromkeys(["symbol", "side", "quantity", "price", "strategy"])
    stamp = {"id": "trade-1", "executed_at": "2024-01-02T03:04:05.000000Z", "trade_day": "2024-01-02"}
    answer = {"trade": {**stamp, **trade}, "trades_today": 6, "remaining_trades": 0}
    assert TradeAnswer.model_validate(answer).model_dump(exclude_unset=True) == answer


def test_a_trade_that_only_reduces_can_be_answered() -> None:
    trade = {"id": "t-1", "symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "1", "strategy": None}
    stamp = {"executed_at": "2024-01-02T03:04:05.000000Z", "trade_day": "2024-01-02"}
    answer = {"trades": [{**trade, **stamp, "reduces": True}], "count": 1}
    assert TradeList.model_validate(answer).model_dump() == answer

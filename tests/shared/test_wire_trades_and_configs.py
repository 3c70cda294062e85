"""What the fields of a trade and of a config's change may hold, and that decimals stay digit for digit."""

import json
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidField
from shared.wire import ConfigChange, TradeRequest, TradesQuery, read_config_change, read_trade
from shared.wire_fields import plain_decimal
from tests.shared.trade_bodies import DECIMAL_RULE, JSON, SYMBOL_RULE, refusal_of, trade_body, trade_body_with

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


# what documents say


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

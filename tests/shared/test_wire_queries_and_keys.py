"""What a request says outside of its body: the query of trades, and the idempotency key."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from shared.errors import InvalidField
from shared.store.base import IdempotencyKey
from shared.wire import TradesQuery, read_idempotency_key, read_trade, read_trades_query
from tests.shared.trade_bodies import JSON, SYMBOL_RULE, trade_body

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

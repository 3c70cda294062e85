"""A trade's body as the tests of the wire send it, what its fields must be, and how it is refused."""

import json
from typing import Any

import pytest

from shared.errors import TradingWindowError
from shared.wire import read_trade

JSON = "application/json"
TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"}
DECIMAL_RULE = "a decimal greater than 0 with at most 18 digits on either side of the point"
SYMBOL_RULE = "a symbol such as BTC-USD: letters A-Z and digits in parts joined by dashes, at most 32 characters"


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

"""The wire of the backtest's routes: what they take, and the models of their answers."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from shared.wire import read_request
from shared.wire_fields import ExactDecimal, QueryTimeframe, Symbol, plain_decimal

DEFAULT_CAPITAL = Decimal(10_000)


class BacktestRequest(BaseModel):
    """A backtest to run, over the newest candles that are closed. The capital is in the symbol's quote currency."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    strategy: Annotated[
        str, Field(min_length=1, max_length=64, description="the name of a strategy", examples=["ema_crossover"])
    ]
    symbol: Symbol
    timeframe: QueryTimeframe
    parameters: Annotated[
        dict[str, Any],
        Field(description="an object of the strategy's parameters", examples=[{"fast": 12, "slow": 26}]),
    ] = {}
    initial_capital: ExactDecimal = DEFAULT_CAPITAL

    def arguments(self) -> dict[str, Any]:
        """For the service, as JSON values."""
        return {
            "strategy": self.strategy,
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "parameters": {name: _json_value(value) for name, value in self.parameters.items()},
            "initial_capital": plain_decimal(self.initial_capital),
        }


class ParameterAnswer(BaseModel):
    """A parameter's default, and its rule as errors show it."""

    default: Any
    rule: str | None


class StrategyAnswer(BaseModel):
    name: str
    parameters: dict[str, ParameterAnswer]


class StrategiesAnswer(BaseModel):
    strategies: list[StrategyAnswer]


class CandlesRunAnswer(BaseModel):
    """How many candles there were, and when the first and the last of them open."""

    count: int
    first: str | None
    last: str | None


class EquityPoint(BaseModel):
    """What the account is worth at a candle's close."""

    timestamp: str
    equity: str


class BacktestTrade(BaseModel):
    """`purpose` is entry, exit, stop or take_profit; the profit is that before the fee."""

    timestamp: str
    purpose: str
    side: str
    quantity: str
    price: str | None
    fee: str
    realized_pnl: str
    reason: str


class BacktestRefusal(BaseModel):
    """An entry that wasn't made. `code` is that of the trading window's rule, or of the bot's own."""

    timestamp: str
    code: str
    reason: str


class BacktestAnswer(BaseModel):
    """`equity` has at most 500 points; `trades` and `refusals` show the newest 500. Amounts are plain decimals."""

    strategy: str
    symbol: str
    timeframe: str
    parameters: dict[str, Any]
    initial_capital: str
    final_equity: str
    candles: CandlesRunAnswer
    equity: list[EquityPoint]
    trade_count: int
    trades: list[BacktestTrade]
    refusal_counts: dict[str, int]
    refusals: list[BacktestRefusal]


def read_backtest(content_type: str | None, body: bytes) -> BacktestRequest:
    """Raises UnsupportedMediaType, then MalformedBody, then InvalidField."""
    return read_request(BacktestRequest, content_type, body)


def _json_value(value: Any) -> Any:
    """A decimal as the float that prints as it does, else as a string: no parameter is a float of so many digits."""
    if isinstance(value, Decimal):
        return float(value) if Decimal(str(float(value))) == value else str(value)
    if isinstance(value, dict):
        return {name: _json_value(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_json_value(each) for each in value]
    return value

"""Where prices come from."""

from pathlib import Path

from shared.errors._sentences import cut
from shared.errors.base import InvalidField, TradingWindowError


class MarketUnavailable(TradingWindowError):
    """The market could not answer; `problem` is a clause about it, without keys or signatures."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the market can't answer: {problem}")


class UnknownSymbol(TradingWindowError):
    """The market, or the broker, trades nothing of this name."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        super().__init__(f"no symbol is named {cut(symbol)!r}")


class CandleFileError(TradingWindowError):
    """A file of candles that can't be read; `problem` is a clause about it."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"the candle file {path} can't be read: {problem}")


class BadCandle(CandleFileError):
    """A row that breaks a rule, by its place in the file: the line of a CSV, the row of a Parquet file, from 1."""

    def __init__(self, path: Path, place: str, wrong: InvalidField) -> None:
        self.place = place
        self.field = wrong.field
        self.value = wrong.value
        self.rule = wrong.rule
        super().__init__(path, f"{place}: {wrong}")

"""Backtests."""

from shared.errors.base import TradingWindowError


class TooManyBacktests(TradingWindowError):
    """As many backtests run and wait as may; `retry_after_seconds` is when to ask again."""

    def __init__(self, most: int, retry_after_seconds: int) -> None:
        self.most = most
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{most} backtests run or wait already, and no more may")


class BacktestTooLong(TradingWindowError):
    """A backtest that was ended by its time limit."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        super().__init__(f"the backtest took longer than {timeout_seconds:g} s")


class BacktestFailed(TradingWindowError):
    """A backtest without a result; `problem` is a clause about it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the backtest failed: {problem}")

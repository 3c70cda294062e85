"""A real exchange."""

from shared.errors.base import TradingWindowError


class ExchangeUnavailable(TradingWindowError):
    """The exchange gave no answer that can be used, and nothing was asked of it that has an effect; `problem` is a
    clause about it, without keys or signatures."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the exchange can't answer: {problem}")


class ExchangeRefused(TradingWindowError):
    """The exchange says no, or was not asked: nothing was done. `kind` is ccxt's name for the reason, such as
    InsufficientFunds."""

    def __init__(self, kind: str, problem: str) -> None:
        self.kind = kind
        self.problem = problem
        super().__init__(f"the exchange refuses: {problem}")


class OutcomeUnknown(TradingWindowError):
    """A request with an effect was sent, and no answer says what came of it: it may have been carried out."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"nobody knows what came of it at the exchange: {problem}")

"""The root of all errors, and what can go wrong anywhere."""

from shared.errors._sentences import cut, printable, shown


class TradingWindowError(Exception):
    """Root of every error that this distribution raises on purpose."""


class InvalidField(TradingWindowError, ValueError):
    """A field of a request, a window config or the settings that breaks its rule."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        super().__init__(f"{cut(printable(field))}: {cut(shown(value))} is not {rule}")


class SettingsError(TradingWindowError):
    """Settings with which the process must not start; `str()` is the sentence for the operator."""


class StoreUnavailable(TradingWindowError):
    """The store could not answer; what was to be written is not written."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the store can't answer: {problem}")

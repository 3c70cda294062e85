"""The bot, its strategies, and its lease."""

from collections.abc import Sequence
from datetime import datetime

from shared.errors._sentences import cut
from shared.errors.base import InvalidField, TradingWindowError


class UnknownStrategy(InvalidField):
    """No strategy has this name; `known` are those that have one."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__("strategy", name, f"one of {', '.join(known)}")


class BrokenStrategy(TradingWindowError):
    """A strategy that an entry point promises and that can't be had in this process."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"the strategy {cut(name)!r} can't be used: {problem}")


class BotIsRunning(TradingWindowError):
    """To start a bot that runs already."""

    def __init__(self) -> None:
        super().__init__("the bot is running already")


class BotIsStopped(TradingWindowError):
    """To stop a bot that doesn't run."""

    def __init__(self) -> None:
        super().__init__("the bot is not running")


class LeaseHeld(TradingWindowError):
    """Another process runs the bot, until `until` at least."""

    def __init__(self, holder: str, until: datetime | None) -> None:
        self.holder = holder
        self.until = until
        super().__init__(f"the bot is run by {holder}, whose lease lasts until {until and until.isoformat()}")


class OtherAccount(TradingWindowError):
    """A process would take over a bot that trades other money, or at other prices, than its own settings say. Both are
    as `account_of` words them."""

    def __init__(self, traded: str | None, given: str) -> None:
        self.traded = traded
        self.given = given
        super().__init__(
            f"the bot trades {traded}, and this process would trade {given}: give it the settings of the bot "
            "([broker], [market], [exchange]), or a store of its own (store.path)"
        )


class LeaseLost(TradingWindowError):
    """The process doesn't hold the bot's lease any more; `taken_by` is who does, None for nobody."""

    def __init__(self, holder: str, taken_by: str | None) -> None:
        self.holder = holder
        self.taken_by = taken_by
        super().__init__(f"the bot's lease is not {holder}'s any more: it is {taken_by or 'nobody'}'s")

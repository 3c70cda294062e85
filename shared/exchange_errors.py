"""What ccxt's errors mean. They are told apart by the names of their classes, so that ccxt need not be loaded."""

import re
from collections.abc import Collection

_LIMITED = {"DDoSProtection", "RateLimitExceeded"}
_NOT_CARRIED_OUT = _LIMITED | {"InvalidNonce"}
_QUERY = re.compile(r"\?\S*")
_MAX_CHARACTERS = 300


def is_rate_limit(error: Exception) -> bool:
    """Whether the exchange asks for fewer requests."""
    return bool(_names(error) & _LIMITED)


def is_transient(error: Exception) -> bool:
    """Whether the same request may be answered a little later."""
    return "OperationFailed" in _names(error) or _is_half_an_answer(error)


def is_refusal(error: Exception) -> bool:
    """Whether the exchange certainly did nothing. What isn't known to be a refusal may have been carried out: also an
    answer that ccxt failed to read."""
    names = _names(error)
    return bool(names & _NOT_CARRIED_OUT) or ("ExchangeError" in names and not _is_half_an_answer(error))


def is_unknown_order(error: Exception) -> bool:
    """Whether the exchange has no such order."""
    return "OrderNotFound" in _names(error)


def told(error: Exception, secrets: Collection[str]) -> str:
    """The error in words, without the queries of addresses, in which signatures stand, and without the secrets."""
    text = f"{type(error).__name__}: {_QUERY.sub('', str(error))}"
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:_MAX_CHARACTERS]


def _is_half_an_answer(error: Exception) -> bool:
    """A connection that broke within the body is a plain ExchangeError of ccxt, with aiohttp's error as its cause."""
    return error.__cause__ is not None and "ClientError" in _names(error.__cause__)


def _names(error: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}

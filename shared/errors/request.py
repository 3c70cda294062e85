"""Requests that can't be read, or must not be carried out again."""

from shared.errors._sentences import MISSING, cut, shown
from shared.errors.base import TradingWindowError


class UnsupportedMediaType(TradingWindowError):
    """A body that doesn't come as JSON, by its Content-Type; None where there is none."""

    def __init__(self, content_type: str | None) -> None:
        self.content_type = content_type
        given = shown(MISSING if content_type is None else content_type)
        super().__init__(f"Content-Type: {cut(given)} is not application/json")


class BodyTooLarge(TradingWindowError):
    """A body of more bytes than are read."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"the body is larger than {limit_bytes} bytes")


class MalformedBody(TradingWindowError):
    """A body that no fields can be read from; `problem` is a clause about it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the body is malformed: {problem}")


class KeyReused(TradingWindowError):
    """An idempotency key that was answered for another request."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"Idempotency-Key: {cut(shown(key))} was used for a request with another body")

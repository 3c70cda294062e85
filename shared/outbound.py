"""The port for services outside the process: market, broker, bot, notifier."""

import inspect
from collections.abc import Mapping
from typing import Any, Protocol

from shared.errors import TradingWindowError


class UnknownService(TradingWindowError):
    """A call of a service, or of a method, that the process was not given."""


class Outbound(Protocol):
    """Calls of services by name: `effect` for what changes something out there, `read` for what doesn't.

    Each has a blocking face and an awaited one. Arguments are JSON values. Raises UnknownService, and what the service
    raises.
    """

    def effect(self, port: str, method: str, /, **arguments: Any) -> Any: ...

    async def effect_async(self, port: str, method: str, /, **arguments: Any) -> Any: ...

    def read(self, port: str, method: str, /, **arguments: Any) -> Any: ...

    async def read_async(self, port: str, method: str, /, **arguments: Any) -> Any: ...


class Services:
    """The process's own services, any object each.

    The blocking face calls the method of the name that was asked for. The awaited one calls the method of that name
    with `_async` behind it, or else the plain one, which then runs on the event loop; what it returns is awaited where
    it can be.
    """

    def __init__(self, services: Mapping[str, object]) -> None:
        self._services = dict(services)

    def effect(self, port: str, method: str, /, **arguments: Any) -> Any:
        called = self._method(port, method)
        if called is None:
            raise self._unknown(port, method)
        if inspect.iscoroutinefunction(called):
            raise TypeError(f"{port}.{method} is async: it can't be called by the blocking face")
        return called(**arguments)

    async def effect_async(self, port: str, method: str, /, **arguments: Any) -> Any:
        called = self._method(port, f"{method}_async") or self._method(port, method)
        if called is None:
            raise self._unknown(port, method)
        answer = called(**arguments)
        return await answer if inspect.isawaitable(answer) else answer

    # To a live service the two are the same; what records and what replays tells them apart.
    read = effect
    read_async = effect_async

    def _method(self, port: str, method: str) -> Any:
        return None if method.startswith("_") else getattr(self._services.get(port), method, None)

    def _unknown(self, port: str, method: str) -> UnknownService:
        known = ", ".join(self._services) or "none"
        return UnknownService(f"no service {port!r} with a method {method!r}: the services are {known}")

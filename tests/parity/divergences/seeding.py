"""How a divergence is written down, and how it gets into the native side."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import request_response

from fastapi_app import trading_window_async
from fastapi_app.requests import json_answer
from fastapi_app.window import decision, limits, rules, slots
from shared.errors import TradingWindowError
from shared.ports import Ports
from shared.wire import answer_to
from tests.parity.endpoints import native_rule

WRITTEN = ("effects.ledger.default", "effects.windows.default")
"""Where it shows that one side writes to the window and the other doesn't."""

Handler = Callable[[Request], Awaitable[Response]]
Json = dict[str, Any]
Change = Callable[[Response], Response]
PlaceOrder = Callable[[Ports, Json, str], Awaitable[None]]


class Native:
    """The native side of an app, to be made wrong at one endpoint. What both sides share is out of reach."""

    def __init__(self, app: FastAPI, endpoint: str, monkeypatch: pytest.MonkeyPatch, place_order: PlaceOrder) -> None:
        self._app = app
        self._endpoint = endpoint
        self._monkeypatch = monkeypatch
        self.place_order = place_order
        """What the endpoint that takes trades does with each; see `orders`."""

    def replace(self, owner: object, name: str, make: Callable[[Any], Any]) -> None:
        """Puts what `make` makes of a function of the native side in its place."""
        module = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", "")
        assert module.startswith("fastapi_app."), module
        self._monkeypatch.setattr(owner, name, make(getattr(owner, name)))

    def rule(self, name: str, make: Callable[[Any], Any]) -> None:
        """Puts what `make` makes of a rule in its place, wherever the native side asks for it."""
        for module in (decision, limits, rules, slots, trading_window_async):
            if hasattr(module, name):
                self.replace(module, name, make)

    def handler(self, make: Callable[[Handler], Handler], *, endpoint: str | None = None) -> None:
        """Puts what `make` makes of the endpoint's handler, as it is by now, in its place."""
        name = endpoint or self._endpoint
        method, path = name.partition(" ")[0], native_rule(name)
        route = next(
            route
            for route in self._app.router.routes
            if isinstance(route, APIRoute) and route.path == path and method in (route.methods or ())
        )
        made = make(route.endpoint)
        self._monkeypatch.setattr(route, "endpoint", made)
        # What the route calls was made of its endpoint when it was added.
        self._monkeypatch.setattr(route, "app", request_response(made))

    def answer(self, change: Change, *, status: int | None = None) -> None:
        """Changes what the endpoint answers, where it answers with the status."""

        def make(handler: Handler) -> Handler:
            async def changed(request: Request) -> Response:
                try:
                    response = await handler(request)
                except TradingWindowError as error:
                    status_code, body = answer_to(error)
                    response = json_answer(body, status_code)
                return change(response) if status in (None, response.status_code) else response

            return changed

        self.handler(make)

    def json(self, change: Callable[[Json], object], *, status: int | None = None) -> None:
        """Changes the body that the endpoint answers with, in place."""

        def changed(response: Response) -> Response:
            content = content_of(response)
            change(content)
            return json_answer(content, response.status_code)

        self.answer(changed, status=status)


Seed = Callable[[Native], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """Something wrong on the native side.

    `shows` says at which endpoints, and at which paths there: each of them must be found by some comparison, and each
    mismatch must be at one of them at least. `times` is how many mismatches there must be, where that matters.
    """

    name: str
    endpoint: str
    shows: Mapping[str, frozenset[str]]
    times: int | None
    seed: Seed


class Divergences(list[Divergence]):
    def at(
        self, endpoint: str, *paths: str, also: Mapping[str, Collection[str]] | None = None, times: int | None = None
    ) -> Callable[[Seed], Seed]:
        """Adds what the function seeds at the endpoint; its name says what is wrong. `also` are other endpoints at
        which it shows."""

        def add(seed: Seed) -> Seed:
            shows = {name: frozenset(found) for name, found in {endpoint: paths, **(also or {})}.items()}
            name = seed.__name__.replace("_", " ")
            self.append(Divergence(name=name, endpoint=endpoint, shows=shows, times=times, seed=seed))
            return seed

        return add


def content_of(response: Response) -> Json:
    content: Json = json.loads(bytes(response.body))
    return content

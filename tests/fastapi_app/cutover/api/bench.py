"""The cutover's HTTP API over a store in memory; each answer is held against the model that documents it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel

from fastapi_app.cutover.api import wire
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import CutoverStore, ModeTable
from shared.modes import EndpointMode

TOKEN = "the-admin-token-of-this-test-and-no-other"
AT = datetime(2025, 3, 3, 12, tzinfo=UTC)

STATUS = Endpoint(method="GET", rule="/api/status", legacy=True, native=True, notes=("a note",))
ORDER = Endpoint(method="POST", rule="/api/orders/<int:order_id>", legacy=True, native=True, notes=())
OLD = Endpoint(method="GET", rule="/old", legacy=True, native=False, notes=("no native twin",))

SHADOW = EndpointMode(mode="shadow", sample_rate=0.5)
ONE = {"GET /api/status": {"mode": "verify"}}


T = TypeVar("T")


class Desk:
    """The cutover, as far as the API needs it."""

    def __init__(self, store: CutoverStore) -> None:
        self.store = store

    def health(self) -> Mapping[str, Any]:
        return {"status": "degraded", "problems": ["the store can't answer"], "version": 3}

    async def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None
    ) -> ModeTable:
        return self.store.change(changes, author=author, reason=reason, at=AT, version=version)

    async def off_loop(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        with ThreadPoolExecutor(1, thread_name_prefix="desk") as own:
            return await asyncio.get_running_loop().run_in_executor(own, partial(function, *arguments, **options))


class Client:
    """A client of the API, with the token."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, model: type[BaseModel], status: int = 200, **parameters: Any) -> Any:
        return read(await self.http.get(path, params=parameters), model, status)

    async def put_modes(self, content: object, model: type[BaseModel] = wire.ModesAnswer, status: int = 200) -> Any:
        return read(await self.http.put("/cutover/modes", json=content), model, status)


def read(response: httpx.Response, model: type[BaseModel], status: int) -> Any:
    """The answer's JSON, once it is one of this model and has no field that the model lacks."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    content = response.json()
    assert json.loads(model.model_validate_json(response.content).model_dump_json()) == content
    return content


def on(app: Any, *, token: str | None = TOKEN) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://cutover.test",
        headers={} if token is None else {"authorization": f"Bearer {token}"},
    )


def a_mismatch(**changed: Any) -> Mismatch:
    told: dict[str, Any] = {
        "endpoint": ORDER.name,
        "at": AT,
        "mode": SHADOW,
        "request": SeenRequest(
            method="POST",
            path="/api/orders/7",
            query="dry=1",
            headers=(("content-type", "application/json"), ("accept", "a"), ("accept", "b")),
            body='{"price":"1.50 €"}'.encode(),
        ),
        "primary": Observation(
            side="legacy",
            answer=SeenAnswer(status=201, headers=(("content-type", "text/plain"),), body=b"done"),
            effects={"calls": [{"to": "broker"}]},
        ),
        "candidate": Observation(
            side="native",
            answer=SeenAnswer(status=500, body=b"\xff\x00"),
            effects={"calls": []},
            raised="KeyError: 'price'",
            raised_at="KeyError in quote (prices.py:31)",
        ),
        "differences": (
            Difference(path="status", primary=201, candidate=500),
            Difference(path="effects.calls[0]", primary={"to": "broker"}, candidate_has=False),
        ),
        "recording": {"instant": "2025-03-03T12:00:00Z"},
    }
    return Mismatch(**(told | changed))

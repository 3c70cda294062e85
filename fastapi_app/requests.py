"""What a native endpoint takes from its request and gives back: ports, body, JSON as the contract writes it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from fastapi_app.documents import BAD_REQUEST
from fastapi_app.trading_window_async import TradingWindowAsync
from shared.errors import BodyTooLarge, InvalidField, MalformedBody
from shared.ports import SCOPE_KEY, Ports
from shared.store.base import IdempotencyKey
from shared.wire import query_pairs, read_idempotency_key, require_json


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and returns the response itself.

    FastAPI documents it as any other, and calls it without solving dependencies or serialising, which costs more
    than the endpoints here do.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        # FastAPI learns of a path's parameters by the endpoint's own, of which there are none.
        if self.param_convertors:
            extra = self.openapi_extra or {}
            told = extra.get("parameters", ())
            names = {each["name"] for each in told if each["in"] == "path"}
            in_path = [_in_path(name) for name in self.param_convertors if name not in names]
            self.openapi_extra = {**extra, "parameters": [*in_path, *told]}

    def get_route_handler(self) -> Any:
        return self.endpoint


class PricedRoute(DirectRoute):
    """One whose answers show prices, or what came of them: where those are made up, an answer that succeeds says so."""

    def get_route_handler(self) -> Any:
        return self._answer

    async def _answer(self, request: Request) -> Response:
        answer: Response = await self.endpoint(request)
        if answer.status_code < 300:
            answer.raw_headers.extend(request.app.state.headers_of_prices)
        return answer


class StrictRoute(DirectRoute):
    """One of an endpoint that native alone has: it refuses a query parameter that its document doesn't name, or that is
    given twice. A slip in a name must not widen what is asked."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["responses"] = BAD_REQUEST | (options.get("responses") or {})
        super().__init__(path, endpoint, **options)
        told = (self.openapi_extra or {}).get("parameters", ())
        self._parameters = [each["name"] for each in told if each["in"] == "query"]

    def get_route_handler(self) -> Any:
        return self._answer

    async def _answer(self, request: Request) -> Response:
        if query := request.scope["query_string"]:
            self._check(query)
        answer: Response = await self.endpoint(request)
        return answer

    def _check(self, query: bytes) -> None:
        """Raises InvalidField."""
        given = set()
        for name, value in query_pairs(query):
            if name not in self._parameters:
                known = ", ".join(self._parameters) or "none"
                raise InvalidField(name, value, f"expected: the known parameters are {known}")
            if name in given:
                raise InvalidField(name, value, "expected: the parameter is there more than once")
            given.add(name)


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def ports_of(request: Request) -> Ports:
    ports: Ports = request.scope["state"][SCOPE_KEY]
    return ports


def window_of(request: Request) -> TradingWindowAsync:
    """The window that the legacy routes serve."""
    return TradingWindowAsync(ports=ports_of(request))


def window_named(request: Request, window_id: str | None = None) -> TradingWindowAsync:
    """That of the path, unless named."""
    return TradingWindowAsync(ports=ports_of(request), window_id=window_id or request.path_params["window_id"])


def idempotency_key(request: Request, given: BaseModel, *, endpoint: str) -> IdempotencyKey | None:
    """The client's key for a validated request. One that comes twice is both, joined. Raises InvalidField."""
    keys = request.headers.getlist("idempotency-key")
    return read_idempotency_key(",".join(keys) if keys else None, endpoint=endpoint, request=given)


async def json_body(request: Request) -> bytes:
    """The raw body. Raises UnsupportedMediaType, then BodyTooLarge as soon as it is known, then MalformedBody for one
    that was cut off."""
    types = request.headers.getlist("content-type")
    require_json(",".join(types) if types else None)
    limit: int = request.app.state.max_body_bytes
    length = int(request.headers.get("content-length", 0))
    if length > limit:
        raise BodyTooLarge(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(limit)
            chunks.append(chunk)
    except ClientDisconnect as exc:
        raise MalformedBody("it was cut off") from exc
    if size < length:
        raise MalformedBody("it was cut off")
    return b"".join(chunks)


def json_answer(content: Mapping[str, Any], status_code: int = 200) -> Response:
    """As Flask writes it: keys sorted, ASCII only, a newline at the end."""
    return Response((_ENCODE(content) + "\n").encode(), status_code, media_type="application/json")


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

"""Small pairs of apps under a cutover, asked without a server."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.cutover.inventory.endpoints import take_inventory
from fastapi_app.cutover.store.base import CutoverStore
from shared.modes import EndpointMode, Mode
from shared.settings import CutoverSettings

Headers = Sequence[tuple[str, str]]

SHADOW: dict[str, Mode] = {"GET /items": "shadow"}


class Asked(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def side(self) -> str:
        return self.headers["x-cutover-side"]


def wsgi(body: bytes = b"{}", *, status: str = "200 OK", seen: list[dict[str, Any]] | None = None) -> WSGIApp:
    """Answers everything alike, as JSON, and notes the environ."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if seen is not None:
            seen.append({**environ, "body": environ["wsgi.input"].read()})
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return app


def asgi(
    body: bytes = b"{}",
    *,
    status: int = 200,
    seen: list[Scope] | None = None,
    first: Callable[[], Awaitable[None]] | None = None,
) -> ASGIApp:
    """Answers everything alike, as JSON, once `first` is through, and notes the scope."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise AssertionError("this app knows no lifespan")
        if seen is not None:
            seen.append(scope)
        while (await receive()).get("more_body", False):
            pass
        if first is not None:
            await first()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


class NoEffects:
    """Recorded, of an app that has none."""

    async def record(self, _scope: Scope) -> "NoEffects":
        return self

    def from_json(self, _recording: Mapping[str, Any]) -> "NoEffects":
        return self

    def effects(self) -> Mapping[str, Any]:
        return {}

    def replay(self, _scope: Scope) -> "NoEffects":
        return self

    def unrecorded_read(self) -> None:
        return None

    def until_unrecorded(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return {}, {}

    def to_json(self) -> Mapping[str, Any]:
        return {}


async def never_ends() -> None:
    """The `first` of an app that hangs."""
    await asyncio.Event().wait()


_STARLETTE = re.compile(r"<(?:(\w+):)?(\w+)>")


def _in_starlettes(parameter: "re.Match[str]") -> str:
    return f"{{{parameter[2]}:{parameter[1]}}}" if parameter[1] else f"{{{parameter[2]}}}"


def cutover_of(
    native: ASGIApp | None,
    legacy: WSGIApp | None,
    modes: Mapping[str, Mode | EndpointMode],
    *,
    store: CutoverStore | None = None,
    settings: CutoverSettings | None = None,
    legacy_alone: Sequence[tuple[str, str]] = (),
    **options: Any,
) -> Cutover:
    """Both apps have every endpoint that `modes` names, in Flask's notation; `legacy_alone` are legacy's own."""
    routes = [(method, rule) for method, _, rule in (name.partition(" ") for name in modes)]
    inventory = take_inventory(
        native,
        legacy,
        native_routes=[(method, _STARLETTE.sub(_in_starlettes, rule)) for method, rule in routes] if native else None,
        legacy_routes=[*routes, *legacy_alone] if legacy else None,
    )
    return Cutover(
        native,
        legacy,
        inventory=inventory,
        store=store,
        settings=settings,
        initial_modes={
            name: mode if isinstance(mode, EndpointMode) else EndpointMode(mode=mode) for name, mode in modes.items()
        },
        **options,
    )


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Headers = (),
    client: str = "127.0.0.1",
    state: Mapping[str, Any] | None = None,
) -> Asked:
    """As uvicorn asks. An exception behind an answer is the server's to log."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers]
        + ([(b"content-length", str(len(body)).encode())] if body else []),
        "client": (client, 50_000),
        "server": ("bot.example", 80),
        "state": dict(state or {}),
    }
    inbox: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return inbox.pop() if inbox else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        sent.append(message)

    with suppress(Exception):
        await app(scope, receive, send)
    if not sent:
        return Asked(500, {}, b"")
    return Asked(
        sent[0]["status"],
        {name.decode(): value.decode() for name, value in sent[0]["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
    )


def mode_of(cutover: Cutover, endpoint: str) -> EndpointMode:
    plan = cutover.plan(endpoint)
    assert plan is not None
    return plan.mode


async def counts_of(cutover: Cutover) -> dict[str, int]:
    """What was kept of the comparisons, such as {"match": 2, "skipped queue_full": 1}."""
    await cutover.settled()
    counts: dict[str, int] = {}
    for key, count in cutover.store.counts().items():
        name = f"{key.outcome} {key.reason}".strip()
        counts[name] = counts.get(name, 0) + count
    return counts


def outcomes_of(cutover: Cutover) -> list[tuple[str, str, int]]:
    """What was kept by now, such as ("skipped", "timed_out", 1)."""
    return [(key.outcome, key.reason, count) for key, count in cutover.store.counts().items()]

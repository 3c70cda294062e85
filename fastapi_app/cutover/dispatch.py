"""Sends each request to the side that serves its endpoint, and has the other side compared."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.cutover.accepted import AcceptedDifference
from fastapi_app.cutover.capture import naming, without_body
from fastapi_app.cutover.clients import client_key, is_in_canary
from fastapi_app.cutover.comparisons import Comparisons
from fastapi_app.cutover.effects import Effects
from fastapi_app.cutover.endpoints import Endpoint, Inventory, take_inventory
from fastapi_app.cutover.evidence import Evidence
from fastapi_app.cutover.guard import GUARDED, Guard
from fastapi_app.cutover.http import admin_app
from fastapi_app.cutover.store.base import CutoverStore, ModeTable
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from fastapi_app.cutover.sync import Decision, Sync
from fastapi_app.cutover.watchdog import Watchdog
from shared.errors import SettingsError
from shared.modes import EndpointMode, Side
from shared.settings import CutoverSettings

logger = logging.getLogger(__name__)

PREFIX = "/cutover"
SIDE_HEADERS: dict[Side, tuple[bytes, bytes]] = {
    "legacy": (b"x-cutover-side", b"legacy"),
    "native": (b"x-cutover-side", b"native"),
}


class _Plan(NamedTuple):
    """How an endpoint is served; made when its mode comes into force."""

    endpoint: str
    mode: EndpointMode
    side: Side | None
    """None for a canary: it depends on the client."""
    sample_rate: float
    guarded: bool


class Cutover:
    """An ASGI app over the two sides of a service: a native ASGI app and a legacy WSGI app.

    Without `inventory` it reads the route tables of Flask and of Starlette or FastAPI. `store` keeps modes and
    evidence; without one they live as long as the process. `initial_modes` seed the endpoints that the store doesn't
    know. With `effects`, requests that write are compared, too. With `admin_token`, the HTTP API is at /cutover.

    HEAD follows its GET. Every request that no endpoint claims goes to legacy: OPTIONS, 404, 405 and slash redirects
    are its own. WebSockets and the lifespan are native's. To be started it needs its server's lifespan, or `running()`.

    Raises SettingsError for an initial mode that can't be, StoreUnavailable.
    """

    def __init__(
        self,
        native: ASGIApp | None,
        legacy: WSGIApp | None,
        *,
        inventory: Inventory | None = None,
        store: CutoverStore | None = None,
        initial_modes: Mapping[str, EndpointMode] | None = None,
        effects: Effects | None = None,
        accepted: Sequence[AcceptedDifference] = (),
        settings: CutoverSettings | None = None,
        bridge: Callable[[WSGIApp], Bridge] = Bridge,
        admin_token: str | None = None,
    ) -> None:
        if native is None and legacy is None:
            raise ValueError("a cutover needs a native app, a legacy app, or both")
        settings = settings or CutoverSettings()
        self.inventory = inventory or take_inventory(native, legacy)
        self.store = store or MemoryCutoverStore()
        self.bridge = None if legacy is None else bridge(legacy)
        native_with_head = None if native is None else head_follows_get(native, self.inventory)
        self._sides = _Sides(native_with_head, self.bridge)
        self._candidates = _Candidates(native_with_head, legacy, concurrency=settings.concurrency)
        self._settings = settings
        self._evidence = Evidence()
        self._plans: Mapping[str, _Plan] = {}
        self._plans_by_path: Mapping[tuple[str, str], _Plan] = {}
        self._client_key_headers = [name.lower().encode("latin-1") for name in settings.client_key_headers]
        initial_modes = initial_modes or {}
        _check(initial_modes, self.inventory.endpoints)
        table = self.store.register(self.inventory.endpoints, initial_modes, at=datetime.now(UTC))
        for name, mode in initial_modes.items():
            if table.modes[name] != mode:
                logger.warning(
                    "%s stays %s, though the settings say %s; to move it: tradewindow cutover set",
                    name,
                    table.modes[name],
                    mode,
                )
        # A process may still fork; each opens the store for itself.
        self.store.close()
        self._sync = Sync(
            self.store,
            self._evidence,
            table,
            on_modes=self._plan,
            poll_seconds=settings.poll_seconds,
            redacted_fields=settings.redacted_fields,
        )
        self._guard = Guard(self._sync.decide, max_native_errors=settings.max_native_errors)
        self._watchdog = Watchdog(self._stop_comparing, block_seconds=settings.block_seconds)
        self._comparisons = Comparisons(
            self._candidates,
            limits=settings,
            evidence=self._evidence,
            guard=self._guard,
            watchdog=self._watchdog,
            effects=effects,
            accepted=accepted,
        )
        self._admin = None if admin_token is None else admin_app(self, token=admin_token, prefix=PREFIX)

    # Serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._sides.app("native" if self._sides.native is not None else "legacy")(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        plan = self._plans_by_path.get((scope["method"], path))
        if plan is None:
            if self._admin is not None and (path == PREFIX or path.startswith(PREFIX + "/")):
                await self._admin(scope, receive, send)
                return
            endpoint = self.inventory.match(scope["method"], path)
            plan = None if endpoint is None else self._plans.get(endpoint.name)
            if plan is None:
                side = self._sides.of_the_unclaimed
                await self._sides.app(side)(scope, receive, naming(send, SIDE_HEADERS[side]))
                return
        side = plan.side or self._side_of_client(plan, scope)
        named = naming(send, SIDE_HEADERS[side])
        app = self._sides.app(side)
        if plan.guarded and side == "native":
            app = self._counting_errors(app, plan)
        if plan.sample_rate and random.random() < plan.sample_rate:  # noqa: S311 - which requests are compared is no secret
            await self._comparisons.serve(app, side, plan.endpoint, plan.mode, scope, receive, named)
        else:
            await app(scope, receive, named)

    def _side_of_client(self, plan: _Plan, scope: Scope) -> Side:
        percent = plan.mode.percent or 0.0
        return "native" if is_in_canary(client_key(scope, self._client_key_headers), percent) else "legacy"

    def _counting_errors(self, app: ASGIApp, plan: _Plan) -> ASGIApp:
        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            status: int | None = None

            async def send_and_see(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, send_and_see)
            except Exception:
                status = 500
                raise
            finally:
                if status is not None and status >= 500:
                    self._guard.native_failed(plan.endpoint, plan.mode)

        return counting

    # Modes

    def _plan(self, modes: Mapping[str, EndpointMode]) -> None:
        """Swaps the whole table. Called from several threads; a request sees the one or the other."""
        plans = {
            endpoint.name: _plan_of(endpoint, mode)
            for endpoint in self.inventory.endpoints
            if (mode := modes.get(endpoint.name)) is not None
        }
        by_path = {
            at: plans[endpoint.name] for at, endpoint in self.inventory.by_path.items() if endpoint.name in plans
        }
        self._plans = plans
        self._plans_by_path = by_path

    def mode(self, endpoint: str) -> EndpointMode | None:
        """The mode in force in this process, by an endpoint's name such as `GET /api/health`."""
        plan = self._plans.get(endpoint)
        return None if plan is None else plan.mode

    async def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None = None
    ) -> ModeTable:
        """Moves endpoints, here at once and in every process within a second. See CutoverStore.change for errors."""
        return await asyncio.to_thread(self._sync.change, changes, author=author, reason=reason, version=version)

    def _stop_comparing(self, endpoint: str, seconds: float) -> None:
        mode = self.mode(endpoint)
        if mode is None:
            return
        self._sync.decide(
            Decision(
                endpoint=endpoint,
                after=mode.model_copy(update={"sample_rate": 0.0}),
                author="watchdog",
                reason=f"its native candidate has blocked the event loop for {seconds:g} s; it is compared no more",
                only_from=[mode.mode],
            )
        )

    # Life

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The native app's lifespan, with the cutover's own inside."""
        running = self.running()
        touched = False

        async def receive_and_end() -> Message:
            nonlocal touched
            touched = True
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                # Before native's own end, which may close what candidates use.
                await running.__aexit__(None, None, None)
            return message

        async def send_and_start(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await running.__aenter__()
            await send(message)

        try:
            await (self._sides.native or _without_lifespan)(scope, receive_and_end, send_and_start)
        except Exception:
            if touched:
                raise
            # An app that knows no lifespan says so by an exception (ASGI, lifespan protocol).
            await _without_lifespan(scope, receive_and_end, send_and_start)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps the process in step with the store and watches candidates, until the block ends; then what was found is
        kept, and the bridge is closed. For who mounts the cutover in an app that hands on no lifespan."""
        self._sync.start()
        self._watchdog.start(asyncio.get_running_loop())
        try:
            yield
        finally:
            await self._comparisons.aclose()
            await asyncio.to_thread(self._watchdog.stop)
            await asyncio.to_thread(self._sync.stop)
            await self._candidates.aclose()
            if self.bridge is not None:
                await self.bridge.aclose()

    async def settled(self) -> None:
        """Returns when no comparison is under way and all that was found is kept."""
        await self._comparisons.settled()
        await asyncio.to_thread(self._sync.once)

    # What an operator asks

    def health(self) -> Mapping[str, Any]:
        """`status` is `ok`, or `degraded` with its `problems`; the table's version; figures of this process."""
        problems = [] if self._sync.problem is None else [f"the cutover's store: {self._sync.problem}"]
        return {
            "status": "degraded" if problems else "ok",
            "problems": problems,
            "version": self._sync.version,
            "comparisons": self._comparisons.figures(),
            "bridge": None if self.bridge is None else asdict(self.bridge.figures()),
        }


class _Sides:
    """Both stacks as ASGI apps."""

    def __init__(self, native: ASGIApp | None, legacy: Bridge | None) -> None:
        self.native = native
        self.of_the_unclaimed: Side = "native" if legacy is None else "legacy"
        self._apps: dict[Side, ASGIApp] = {}
        if native is not None:
            self._apps["native"] = native
        if legacy is not None:
            self._apps["legacy"] = legacy

    def app(self, side: Side) -> ASGIApp:
        return self._apps[side]


class _Candidates:
    """Both stacks for requests that are run only to be compared; legacy in threads of its own."""

    def __init__(self, native: ASGIApp | None, legacy: WSGIApp | None, *, concurrency: int) -> None:
        # One that doesn't end keeps its thread: as many again are there for those that follow.
        self._threads = 2 * concurrency
        self._bridge = (
            None
            if legacy is None
            else Bridge(legacy, threads=self._threads, max_queued=concurrency, drain_timeout_seconds=0)
        )
        self._native = native

    def app(self, side: Side) -> ASGIApp:
        app = self._native if side == "native" else self._bridge
        assert app is not None  # noqa: S101 - an endpoint without this side is in no mode that compares
        return app

    def are_busy(self, side: Side) -> bool:
        return side == "legacy" and self._bridge is not None and self._bridge.figures().threads_busy >= self._threads

    async def aclose(self) -> None:
        if self._bridge is not None:
            await self._bridge.aclose()


def _check(modes: Mapping[str, EndpointMode], endpoints: Sequence[Endpoint]) -> None:
    known = {endpoint.name: endpoint for endpoint in endpoints}
    for name, mode in modes.items():
        endpoint = known.get(name)
        if endpoint is None:
            raise SettingsError(f"cutover.modes: {name!r} is not an endpoint; see `tradewindow routes`")
        for side in sorted(mode.needs()):
            if not getattr(endpoint, side):
                raise SettingsError(f"cutover.modes: {name!r} can't be {mode.mode!r}: it has no {side} side")


async def _without_lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _plan_of(endpoint: Endpoint, mode: EndpointMode) -> _Plan:
    sides: dict[str, Side] = {"legacy": "legacy", "shadow": "legacy", "verify": "native", "native": "native"}
    compares = mode.mode not in ("legacy", "native")
    return _Plan(
        endpoint=endpoint.name,
        mode=mode,
        side=sides.get(mode.mode),
        sample_rate=mode.sample_rate if compares else 0.0,
        guarded=mode.mode in GUARDED,
    )


def head_follows_get(native: ASGIApp, inventory: Inventory) -> ASGIApp:
    """A HEAD is the GET with its body dropped, for FastAPI answers 405 to it; but for an endpoint of its own."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await native(scope, receive, send)
            return
        endpoint = inventory.match("HEAD", scope["path"])
        if endpoint is not None and endpoint.method == "HEAD":
            await native(scope, receive, send)
        else:
            await native({**scope, "method": "GET"}, receive, without_body(send))

    return serve

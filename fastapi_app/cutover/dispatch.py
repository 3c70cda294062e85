"""Sends each request to the side that serves its endpoint, and has the other side compared."""

import asyncio
import gc
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.cutover.api.http import admin_app
from fastapi_app.cutover.candidates.capture import SENT_AS_FILES, naming
from fastapi_app.cutover.candidates.comparisons import Comparisons
from fastapi_app.cutover.candidates.lifespan import live_with
from fastapi_app.cutover.candidates.stacks import CandidateStacks, Stacks, head_follows_get, route_path
from fastapi_app.cutover.candidates.steps import is_made_to_end
from fastapi_app.cutover.candidates.watchdog import Watchdog
from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.effects import Effects
from fastapi_app.cutover.evidence.evidence import Evidence
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.inventory.endpoints import Inventory, take_inventory
from fastapi_app.cutover.inventory.since_last import changed_since
from fastapi_app.cutover.modes.clients import client_key, is_in_canary
from fastapi_app.cutover.modes.guard import Guard
from fastapi_app.cutover.modes.plan import NO_PLANS, Plan, plans_of
from fastapi_app.cutover.modes.sync import Decision, DecisionKind, Sync
from fastapi_app.cutover.store.base import CutoverStore, ModeTable
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from fastapi_app.cutover.store.rules import unknown_endpoint
from shared.errors import SettingsError
from shared.modes import EndpointMode, Side
from shared.settings import CutoverSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

PREFIX = "/cutover"
THREADS = 2
SIDE_HEADERS: dict[Side, tuple[bytes, bytes]] = {
    "legacy": (b"x-cutover-side", b"legacy"),
    "native": (b"x-cutover-side", b"native"),
}


class Cutover:
    """An ASGI app over the two sides of a service: a native ASGI app and a legacy WSGI app.

    Without `inventory` it reads the route tables of Flask and of Starlette or FastAPI. `store` keeps modes and
    evidence; without one they live as long as the process. `initial_modes` seed the endpoints that the store doesn't
    know. With `effects`, requests that write are compared, too. With `admin_token`, the HTTP API is at /cutover;
    it is called last, so that a start that fails makes no token.
    `bridge_options` are arguments of `Bridge`.

    HEAD follows its GET. Every request that no endpoint claims goes to legacy: OPTIONS, 404, 405 and slash redirects
    are its own. But where rules of native's alone take the path, by other methods, it is native's to refuse, and so is
    each path at or below one of `native_paths`. WebSockets and the lifespan are native's. To be started it needs its
    server's lifespan, or `running()`.

    Raises SettingsError for an initial mode that can't be, for a pure or costly endpoint that there isn't, and for an
    accepted difference of one; StoreUnavailable.
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
        bridge_options: Mapping[str, Any] | None = None,
        admin_token: Callable[[], str] | None = None,
        native_paths: Sequence[str] = (),
    ) -> None:
        if native is None and legacy is None:
            raise ValueError("a cutover needs a native app, a legacy app, or both")
        settings = settings or CutoverSettings()
        bridge_options = bridge_options or {}
        self.inventory = inventory or take_inventory(
            native, legacy, admin_prefix=None if admin_token is None else PREFIX
        )
        _check_names({"pure": settings.pure, "costly": settings.costly}, self.inventory.endpoints)
        _check_accepted(accepted, self.inventory.endpoints)
        self.store = store or MemoryCutoverStore()
        self._native = native
        if native is not None:
            native = head_follows_get(native, self.inventory)
        self._native_paths = tuple(native_paths)
        self._stacks = Stacks(native, legacy, bridge_options)
        self._candidates = CandidateStacks(native, legacy, bridge_options, concurrency=settings.concurrency)
        self._evidence = Evidence()
        self._plans = NO_PLANS
        # By method and path: requests about which there is nothing to decide.
        self._decided: Mapping[tuple[str, str], tuple[ASGIApp, tuple[bytes, bytes]]] = {}
        self._client_key_headers = [name.lower().encode("latin-1") for name in settings.client_key_headers]
        # An app that seeds Python's own generator is to draw the same numbers as without the cutover.
        self._random = random.Random()  # noqa: S311 - which requests are compared is no secret
        # Threads of its own: candidates can fill those of asyncio, and then nothing could be taken back.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cutover")
        # And others for what is compared and redacted, which takes seconds where answers are large.
        self._judging_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cutover-judging")
        self._sync = Sync(
            self.store,
            self._evidence,
            self._registered(initial_modes or {}),
            on_table=self._put_in_force,
            poll_seconds=settings.poll_seconds,
        )
        self._guard = Guard(self._sync.decide, self.plan, max_native_errors=settings.max_native_errors)
        self._watchdog = Watchdog(self._watchdog_says, block_seconds=settings.block_seconds)
        self._comparisons = Comparisons(
            self._candidates,
            settings=settings,
            evidence=self._evidence,
            guard=self._guard,
            watchdog=self._watchdog,
            effects=effects,
            accepted=accepted,
            in_force=self.plan,
            stop_comparing=self._stop_comparing,
            off_loop=partial(_off_loop, self._judging_threads),
        )
        self._admin = None if admin_token is None else admin_app(self, token=admin_token(), prefix=PREFIX)

    @property
    def bridge(self) -> Bridge | None:
        """Under which the legacy app answers clients."""
        return self._stacks.bridge

    # Serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope.get("root_path"):
            # The shortest way that there is: each endpoint that has been moved pays for what lies on it.
            decided = self._decided.get((scope["method"], scope["path"]))
            if decided is not None:
                app, header = decided
                await app(scope, receive, naming(send, header))
                return
        if scope["type"] == "lifespan":
            await live_with(self._stacks.native, self.running(), scope, receive, send)
            return
        if scope["type"] != "http":
            await self._stacks.app("native" if self._stacks.native is not None else "legacy")(scope, receive, send)
            return
        path = scope["path"] if not scope.get("root_path") else route_path(scope)
        if self._admin is not None and self._is_of_admin(path):
            await self._admin(scope, receive, send)
            return
        plans = self._plans
        plan = plans.by_path.get((scope["method"], path))
        if plan is None:
            endpoint = self.inventory.match(scope["method"], path)
            if endpoint is None:
                side = self._side_of_unclaimed(path)
                await self._stacks.app(side)(scope, receive, naming(send, SIDE_HEADERS[side]))
                return
            plan = plans.by_name[endpoint.name]
        side = plan.side or self._side_of_client(plan, scope)
        named = naming(send, SIDE_HEADERS[side])
        app = self._stacks.app(side)
        if plan.guarded and side == "native":
            app = self._counting_errors(app, plan)
        if plan.sample_rate and self._random.random() < plan.sample_rate:
            await self._comparisons.serve(app, side, plan, scope, receive, named)
        else:
            await app(scope, receive, named)

    def _is_of_admin(self, path: str) -> bool:
        return path.startswith(PREFIX) and path[len(PREFIX) :][:1] in ("", "/")

    def _side_of_unclaimed(self, path: str) -> Side:
        if self._stacks.native is None or self._stacks.bridge is None:
            return self._stacks.of_the_unclaimed
        below = any(path == each or path.startswith(f"{each}/") for each in self._native_paths)
        return "native" if below or self.inventory.is_native_alone(path) else "legacy"

    def _side_of_client(self, plan: Plan, scope: Scope) -> Side:
        percent = plan.mode.percent or 0.0
        return "native" if is_in_canary(client_key(scope, self._client_key_headers), percent) else "legacy"

    def _counting_errors(self, app: ASGIApp, plan: Plan) -> ASGIApp:
        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0
            answered = False
            left = False

            async def receive_and_see() -> Message:
                nonlocal left
                message = await receive()
                left = left or message["type"] == "http.disconnect"
                return message

            async def send_and_see(message: Message) -> None:
                nonlocal status, answered
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif message["type"] == "http.response.body" or message["type"] in SENT_AS_FILES:
                    answered = not message.get("more_body", False)
                await send(message)

            failed = True
            try:
                await app(scope, receive_and_see, send_and_see)
                failed = status >= 500 or not answered
            except BaseException as exc:
                failed = status >= 500 or not is_made_to_end(exc)
                raise
            finally:
                # What an app makes of a client that has left is no fault of its own.
                if failed and not left:
                    self._guard.native_failed(plan)

        return counting

    # Modes

    def _registered(self, initial_modes: Mapping[str, EndpointMode]) -> ModeTable:
        _check(initial_modes, self.inventory.endpoints)
        before = self.store.endpoints()
        table = self.store.register(self.inventory.endpoints, initial_modes, at=datetime.now(UTC))
        for sentence in changed_since(before, self.inventory.endpoints, table.modes):
            logger.warning("%s", sentence)
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
        return table

    def _put_in_force(self, table: ModeTable) -> None:
        """Swaps the whole table. Called from several threads, one at a time."""
        plans = plans_of(self.inventory, table, self._plans)
        # A HEAD may be its GET.
        sides: Mapping[Side, ASGIApp | None] = {"native": self._native, "legacy": self._stacks.bridge}
        decided = {
            (method, path): (app, SIDE_HEADERS[side])
            for (method, path), plan in plans.by_path.items()
            if method != "HEAD" and not self._is_of_admin(path)
            if (side := plan.only_side) is not None and (app := sides[side]) is not None
        }
        self._plans, self._decided = plans, decided

    def plan(self, endpoint: str) -> Plan | None:
        """How an endpoint is served in this process, by its name such as `GET /api/health`."""
        return self._plans.by_name.get(endpoint)

    async def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None = None
    ) -> ModeTable:
        """Moves endpoints, here at once and in every process within a second. See CutoverStore.change for errors."""
        return await self.off_loop(self._sync.change, changes, author=author, reason=reason, version=version)

    async def off_loop(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Calls what blocks in a thread of the cutover's own."""
        return await _off_loop(self._threads, function, *arguments, **options)

    def _watchdog_says(self, endpoint: str, seconds: float) -> None:
        self._stop_comparing(endpoint, "native", f"its native candidate has blocked the event loop for {seconds:g} s")

    def _stop_comparing(self, endpoint: str, at_fault: Side, why: str) -> None:
        plan = self.plan(endpoint)
        if plan is not None and plan.sample_rate:
            reason = f"{why}; it is compared no more"
            kind: DecisionKind = "give up" if at_fault == "native" else "stop comparing"
            self._sync.decide(
                Decision(endpoint=endpoint, kind=kind, author="watchdog", reason=reason, since=plan.since)
            )

    # Life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps the process in step with the store and watches candidates, until the block ends; then what was found is
        kept, and the bridge is closed. For who mounts the cutover in an app that hands on no lifespan."""
        async with AsyncExitStack() as stack:
            for stacks in (self._stacks, self._candidates):
                stacks.open()
                stack.push_async_callback(stacks.aclose)
            self._sync.start()
            stack.push_async_callback(self.off_loop, self._sync.stop)
            loop = asyncio.get_running_loop()
            self._watchdog.start(loop)
            stack.push_async_callback(self.off_loop, self._watchdog.stop)
            stack.push_async_callback(self._comparisons.aclose)
            # What start-up made, two frameworks' worth, stays for good; not walking it at each collection took the p99
            # of writes from 76 to 20 ms.
            gc.collect()
            gc.freeze()
            stack.callback(gc.unfreeze)
            yield

    async def settled(self) -> None:
        """Returns when no comparison is under way and all that was found is kept."""
        await self._comparisons.settled()
        await self.off_loop(self._sync.once)

    # What an operator asks

    def health(self) -> Mapping[str, Any]:
        """`status` is `ok`, or `degraded` with its `problems`; the table's version; figures of this process."""
        problems = [f"{name} is in a mode that needs a side it doesn't have here" for name in self._plans.misfits]
        problems += [
            f"{plan.endpoint} is in {plan.mode.mode} at a sample rate of 0: no wrong answer of native's takes it back"
            for plan in self._plans.by_name.values()
            if plan.guarded and not plan.sample_rate
        ]
        if not self._sync.is_running:
            problems.append("modes don't change and evidence isn't kept: the server has not started the lifespan")
        elif self._sync.problem is not None:
            problems.append(f"the cutover's store: {self._sync.problem}")
        if self._candidates.are_busy("legacy"):
            problems.append("legacy candidates hang in every thread there is for them: none is compared until they end")
        return {
            "status": "degraded" if problems else "ok",
            "problems": problems,
            "version": self._sync.version,
            "comparisons": self._comparisons.figures(),
            "bridge": None if self.bridge is None else asdict(self.bridge.figures()),
        }


async def _off_loop(threads: Executor, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, partial(function, *arguments, **options))


def _check(modes: Mapping[str, EndpointMode], endpoints: Sequence[Endpoint]) -> None:
    known = {endpoint.name: endpoint for endpoint in endpoints}
    for name, mode in modes.items():
        endpoint = known.get(name)
        if endpoint is None:
            raise _not_an_endpoint("modes", name, known)
        for side in sorted(mode.needs()):
            if not getattr(endpoint, side):
                raise SettingsError(f"cutover.modes: {name!r} can't be {mode.mode!r}: it has no {side} side")


def _check_names(named: Mapping[str, Sequence[str]], endpoints: Sequence[Endpoint]) -> None:
    """A costly endpoint with a slip in its name would be compared all the same."""
    known = [endpoint.name for endpoint in endpoints]
    for key, names in named.items():
        for name in names:
            if name not in known:
                raise _not_an_endpoint(key, name, known)


def _check_accepted(rules: Sequence[AcceptedDifference], endpoints: Sequence[Endpoint]) -> None:
    """One with a slip in its endpoint would never apply."""
    known = [endpoint.name for endpoint in endpoints]
    for rule in rules:
        if rule.endpoint not in ("*", *known):
            raise SettingsError(f"the accepted difference {rule.name!r}: {unknown_endpoint(known, rule.endpoint)}")


def _not_an_endpoint(key: str, name: str, known: Iterable[str]) -> SettingsError:
    return SettingsError(f"cutover.{key}: {unknown_endpoint(known, name)}")

"""Two worlds, of an old app and of a new one, to which a suite puts the same requests."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.bridge.trace import TRACE, Trace
from fastapi_app.cutover.candidates.capture import CandidateClient
from fastapi_app.cutover.candidates.finishing import until_finished
from fastapi_app.cutover.candidates.stacks import head_follows_get
from fastapi_app.cutover.comparing.accepted import AcceptedDifference, assert_none_expired
from fastapi_app.cutover.comparing.observation import Observation, SeenAnswer
from fastapi_app.cutover.comparing.raised import named, place_of
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.effects import Effects, Recording, Replay
from fastapi_app.cutover.inventory.endpoint import may_be_for
from fastapi_app.cutover.inventory.endpoints import take_inventory
from fastapi_app.cutover.suite.asked import Asked, Headers
from shared.modes import Side

MAX_ANSWER_BYTES = 64 * 2**20

MAX_TOLD_CHARACTERS = 600
"""Of a body, in the message of a difference."""

_KINDS: dict[Side, tuple[str, int]] = {"legacy": ("a WSGI", 2), "native": ("an ASGI", 3)}
"""Of a side's app, with how many arguments its server calls it."""

CallableEffects = Callable[[], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]


class Parities:
    """What the `parity` fixture gives: makes pairs of worlds, and ends them with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(
        self,
        *,
        legacy: Callable[[], WSGIApp | Awaitable[WSGIApp]],
        native: Callable[[], ASGIApp | Awaitable[ASGIApp]],
        legacy_effects: CallableEffects | None = None,
        native_effects: CallableEffects | None = None,
        effects: Effects | None = None,
        timeout_seconds: float = 10.0,
    ) -> "Parity":
        """Calls both factories, which may be async, once, and starts the native app's lifespan.

        Raises TypeError for what is no such factory, and RuntimeError in a test that is async, for requests run on an
        event loop of their own. What each request does to the world is compared in one of two ways, and ValueError is
        raised for both at once. `legacy_effects` and `native_effects` tell as JSON what each world holds after it. Or
        `effects` records what legacy does, and native is replayed from that and does nothing, as on live traffic; it is
        needed for requests with a recording, too. A side that takes longer than `timeout_seconds` for a request fails
        the test.
        """
        _refuse_a_running_loop()
        if isinstance(effects, type):
            raise TypeError(f"effects={effects!r} is a class, and what it makes is needed: {effects.__name__}()")
        if effects is not None and (legacy_effects or native_effects):
            raise ValueError(
                "effects= goes without legacy_effects= and native_effects=: native does nothing that these could tell"
            )
        runner = self._stack.enter_context(asyncio.Runner())
        pair = Parity(
            runner,
            tells={"legacy": legacy_effects, "native": native_effects},
            effects=effects,
            timeout_seconds=timeout_seconds,
        )
        self._stack.callback(pair.close)
        pair.start(legacy, native)
        return pair


class Parity:
    """One old and one new world. Legacy runs under the bridge, as it does under the cutover, and native is called as a
    server calls it; HEAD follows GET there, but for an endpoint of its own."""

    def __init__(
        self,
        runner: asyncio.Runner,
        *,
        tells: Mapping[Side, CallableEffects | None],
        effects: Effects | None,
        timeout_seconds: float,
    ) -> None:
        self._runner = runner
        self._tells = tells
        self._effects = effects
        self._timeout_seconds = timeout_seconds
        self._apps: dict[Side, ASGIApp] = {}
        self._lifespan_state: Mapping[str, Any] = {}
        self._stack = AsyncExitStack()

    def start(
        self,
        legacy: Callable[[], WSGIApp | Awaitable[WSGIApp]],
        native: Callable[[], ASGIApp | Awaitable[ASGIApp]],
    ) -> None:
        async def start() -> None:
            old = await _made("legacy", legacy)
            bridge = Bridge(old, threads=2, drain_timeout_seconds=0)
            self._stack.push_async_callback(bridge.aclose)
            new = await _made("native", native)
            # No rules of a legacy app are needed that can't be read.
            self._apps = {"legacy": bridge, "native": head_follows_get(new, take_inventory(new, old, legacy_routes=()))}
            self._lifespan_state = await self._stack.enter_async_context(_lifespan(new))

        self._runner.run(start())

    def close(self) -> None:
        self._runner.run(self._stack.aclose())

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Headers | None = None,
        body: bytes | str | None = None,
        json: Any = None,
        recording: Mapping[str, Any] | None = None,
        accepted: Sequence[AcceptedDifference] = (),
        legacy_answered: int | None = None,
    ) -> SeenAnswer:
        """Puts the request to legacy, then to native, and answers with legacy's answer.

        Raises AssertionError where they differ by the rules of the live comparison, in more than what is `accepted`,
        and for a rule of this endpoint that is expired. `target` is the path, percent-encoded, with its query.
        ValueError is raised for another, and for `json` and `body` at once. A method counts in any case. Content-Length
        and Host are added where `headers` have none; `json` is written as a body, with its Content-Type.
        With a `recording`, both sides answer from that, through the ports that it puts into the scope, and neither has
        an effect. `legacy_answered` is the status that legacy had when a difference was found: another one fails, also
        where both sides have it, for then the data is no longer what it was.
        """
        __tracebackhide__ = True
        _refuse_a_running_loop()
        asked = Asked.of(method, target, headers=headers, body=body, json=json)
        rules = [
            rule for rule in accepted if rule.endpoint == "*" or may_be_for(rule.endpoint, asked.method, asked.path)
        ]
        assert_none_expired(rules, on=datetime.now(UTC).date())
        raw = asked.body

        async def ask() -> tuple[Observation, Observation]:
            old, new = [asked.scope(self._lifespan_state) for _ in range(2)]
            if recording is None:
                kept = None if self._effects is None else await self._effects.record(old)
                legacy = await self._observe("legacy", old, raw, kept)
            else:
                if self._effects is None:
                    raise ValueError("a request with a recording needs parity(..., effects=...)")
                kept = self._effects.from_json(recording)
                legacy = await self._replayed("legacy", old, raw, kept)
            if kept is None:
                return legacy, await self._observe("native", new, raw, None)
            return legacy, await self._replayed("native", new, raw, kept)

        legacy, native = self._runner.run(ask())
        if legacy_answered not in (None, legacy.answer.status):
            changed = f"legacy answered {legacy_answered} when this was found and {legacy.answer.status} now"
            why = "its data is gone, or a variable PARITY_… has another value than the request had"
            title = f"{asked}: {changed}: {why}: bring that back, or delete this test"
            raise AssertionError("\n".join([title, *_told(legacy)]))
        verdict = compare(legacy, native, accepted=rules, method=asked.method)
        if verdict.outcome == "mismatch":
            places = [f"  {difference.between('legacy', 'native')}" for difference in verdict.differences]
            title = f"{asked}: legacy and native differ"
            raise AssertionError("\n".join([title, *places, *_told(legacy), *_told(native)]))
        return legacy.answer

    async def _replayed(self, side: Side, scope: Scope, body: bytes, recording: Recording) -> Observation:
        replay = recording.replay(scope)
        observation = await self._observe(side, scope, body, replay)
        if (read := replay.unrecorded_read()) is not None:
            raise AssertionError(f"{side} read what the recording can't answer: {read}")
        return observation

    async def _observe(self, side: Side, scope: Scope, body: bytes, world: Recording | Replay | None) -> Observation:
        """`world` is what stands in the scope between the app and the world."""
        scope[TRACE] = trace = Trace()
        client = CandidateClient(body, max_bytes=MAX_ANSWER_BYTES)
        raised: str | None = None
        raised_at: str | None = None
        limit = asyncio.timeout(self._timeout_seconds)
        try:
            async with limit:
                await self._apps[side](scope, client.receive, client.send)
                # Behind an answer, what a WSGI app does in `close()`, in its thread, has effects, too.
                await until_finished(trace)
        except Exception as exc:
            if limit.expired():
                raise AssertionError(f"{side} took longer than {self._timeout_seconds:g} s") from exc
            if client.capture.too_large:
                raise AssertionError(f"{side} answered with more than {MAX_ANSWER_BYTES} bytes") from exc
            # A fault that was answered is raised again, for the server's log.
            raised = None if client.capture.complete else named(exc)
            raised_at = place_of(exc)
        tell = self._tells[side]
        told = {} if tell is None else await _settled(tell())
        return Observation(
            side=side,
            answer=client.capture.answer(),
            effects=told if world is None else world.effects(),
            raised=raised,
            raised_at=raised_at,
        )


def _refuse_a_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "the fixture parity runs an event loop of its own: use it in a test that is `def`, not `async def`"
    )


async def _made(side: Side, factory: Callable[[], Any]) -> Any:
    """The app that the factory makes. Raises TypeError where it is no factory, or makes no app of that side."""
    if not _takes(factory, 0):
        raise TypeError(f"{side}={factory!r} takes arguments, and is called without: for an app, give `lambda: app`")
    app = await _settled(factory())
    kind, count = _KINDS[side]
    if not callable(app) or not _takes(app, count):
        raise TypeError(f"{side}={factory!r} made {app!r}, and {kind} app is needed")
    return app


def _takes(found: Callable[..., Any], count: int) -> bool:
    """Whether it can be called with so many arguments; what doesn't tell may be."""
    try:
        signature = inspect.signature(found)
    except ValueError:
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncIterator[Mapping[str, Any]]:
    """Runs the app's lifespan, and gives the state that it leaves for requests. As under a server, an app that raises
    at the first message has none. Raises RuntimeError where the start or the end fails."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    running = asyncio.ensure_future(app(scope, to_app.get, from_app.put))

    async def tell(step: str) -> bool:
        """Whether the app heard it."""
        to_app.put_nowait({"type": f"lifespan.{step}"})
        answered = asyncio.ensure_future(from_app.get())
        await asyncio.wait({running, answered}, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            answered.cancel()
            return False
        message = answered.result()
        if message["type"].endswith(".failed"):
            raise RuntimeError(f"the native app's {step} failed: {message.get('message', '')}")
        return True

    try:
        has_one = await tell("startup")
        yield state
        if has_one:
            await tell("shutdown")
    finally:
        running.cancel()
        # What it raised was in its message, or it has no lifespan.
        await asyncio.gather(running, return_exceptions=True)


def _told(observation: Observation) -> list[str]:
    answer = observation.answer
    headers = "".join(f"\n  {name}: {value}" for name, value in answer.headers)
    body = answer.body[:MAX_TOLD_CHARACTERS].decode(errors="backslashreplace").rstrip("\n")
    cut = f"… ({len(answer.body)} bytes)" if len(answer.body) > MAX_TOLD_CHARACTERS else ""
    told = ", ".join(filter(None, (observation.raised, observation.raised_at)))
    raised = f"; it raised {told}" if told else ""
    return [
        f"{observation.side} answered {answer.status}{raised}{headers}",
        *([indent(f"{body}{cut}", "  ")] if body else ()),
    ]

"""Holds what the primary did against what the candidate would have done, behind the client's back."""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_app.cutover.accepted import AcceptedDifference, ExpiryWatch
from fastapi_app.cutover.capture import CandidateClient, Capture, RequestBody, announced_bytes, seen_request
from fastapi_app.cutover.comparing import compare
from fastapi_app.cutover.effects import Effects, Recording, Replay
from fastapi_app.cutover.evidence import Evidence
from fastapi_app.cutover.guard import Guard
from fastapi_app.cutover.observation import Mismatch, Observation, SkipReason
from fastapi_app.cutover.watchdog import Watchdog
from shared.modes import EndpointMode, Side
from shared.settings import CutoverSettings

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, 9.2.1."""

CANCEL_SECONDS = 1.0
"""How long a candidate gets to end once it is cancelled."""

CLOSING_SECONDS = 1.0
"""How long a process that stops waits for candidates."""


LARGE_BYTES = 64 * 2**10
"""From here on two bodies are compared in a thread: a megabyte of JSON takes some tenths of a second."""


class Candidates(Protocol):
    """Where candidates run, by side."""

    def app(self, side: Side) -> ASGIApp: ...

    def are_busy(self, side: Side) -> bool:
        """Whether every place for one is taken by a candidate that doesn't end."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """A primary's request that waits for its candidate."""

    endpoint: str
    mode: EndpointMode
    side: Side
    scope: Scope
    """As it was before the primary ran; the candidate's own."""
    body: bytes
    answer: Capture
    raised: str | None
    recording: Recording | None
    context: contextvars.Context
    size: int


class Comparisons:
    """Serves a primary, takes it down, and runs the candidate once the answer is out.

    Candidates wait in a line that is bounded in number and bytes; what finds it full is counted and no more. Not for
    use from several event loops at once.
    """

    def __init__(
        self,
        candidates: Candidates,
        *,
        limits: CutoverSettings,
        evidence: Evidence,
        guard: Guard,
        watchdog: Watchdog,
        effects: Effects | None,
        accepted: Sequence[AcceptedDifference],
    ) -> None:
        self._candidates = candidates
        self._limits = limits
        self._evidence = evidence
        self._guard = guard
        self._watchdog = watchdog
        self._effects = effects
        self._accepted = accepted
        self._expiry = ExpiryWatch(accepted)
        self._pure = frozenset(limits.pure)
        self._costly = frozenset(limits.costly)
        self._waiting: deque[_Pair] = deque()
        self._waiting_bytes = 0
        # Those that hold a place; one that is let go may run on.
        self._tasks: set[asyncio.Task[None]] = set()
        self._overdue: set[asyncio.Task[None]] = set()

    def figures(self) -> Mapping[str, int]:
        """Of this moment: comparisons that wait, the bytes that they hold, and those that run."""
        return {"queued": len(self._waiting), "queued_bytes": self._waiting_bytes, "running": len(self._tasks)}

    async def serve(
        self,
        primary: ASGIApp,
        side: Side,
        endpoint: str,
        mode: EndpointMode,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Serves the request as `primary` alone would, and leaves a comparison or the reason why there is none."""
        limits = self._limits
        skip = self._reason_to_skip(endpoint, scope)
        if skip is not None:
            self._evidence.count(endpoint, mode.mode, "skipped", skip)
            await primary(scope, receive, send)
            return
        request = RequestBody(receive)
        await request.read(max_bytes=limits.max_request_bytes)
        # Frameworks write into the scope; the candidate gets it as it came.
        candidate_scope = {**scope, "state": dict(scope.get("state", ()))}
        skip = request.cut_by
        recording: Recording | None = None
        if skip is None and self._effects is not None:
            try:
                recording = await self._effects.record(scope)
            except Exception:
                logger.exception("a request to %s can't be recorded", endpoint)
                skip = "fault"
        if skip is not None:
            self._evidence.count(endpoint, mode.mode, "skipped", skip)
            await primary(scope, request.receive, send)
            return
        answer = Capture(max_bytes=limits.max_response_bytes)

        async def send_and_note(message: Any) -> None:
            # Before the server has it, which may change it.
            answer.note(message)
            await send(message)

        raised: str | None = None
        try:
            await primary(scope, request.receive, send_and_note)
        except asyncio.CancelledError:
            self._evidence.count(endpoint, mode.mode, "skipped", "client_left")
            raise
        except Exception as exc:
            raised = None if answer.complete else _named(exc)
            self._judge(endpoint, mode, side, candidate_scope, request, answer, raised, recording)
            raise
        self._judge(endpoint, mode, side, candidate_scope, request, answer, raised, recording)

    def _reason_to_skip(self, endpoint: str, scope: Scope) -> SkipReason | None:
        if endpoint in self._costly:
            return "costly"
        if self._effects is None and scope["method"] not in SAFE_METHODS and endpoint not in self._pure:
            return "unsafe"
        if announced_bytes(scope) > self._limits.max_request_bytes:
            return "request_too_large"
        return None

    def _judge(
        self,
        endpoint: str,
        mode: EndpointMode,
        side: Side,
        scope: Scope,
        request: RequestBody,
        answer: Capture,
        raised: str | None,
        recording: Recording | None,
    ) -> None:
        """Puts the pair into the line, or counts why not."""
        skip: SkipReason | None = None
        size = len(request.body) + answer.size
        if answer.endless:
            skip = "stream"
        elif answer.too_large:
            skip = "response_too_large"
        elif not answer.complete and raised is None:
            skip = "client_left"
        elif (
            len(self._waiting) >= self._limits.max_queued or self._waiting_bytes + size > self._limits.max_queued_bytes
        ):
            skip = "queue_full"
        if skip is not None:
            self._evidence.count(endpoint, mode.mode, "skipped", skip)
            return
        self._waiting_bytes += size
        self._waiting.append(
            _Pair(
                endpoint=endpoint,
                mode=mode,
                side=side,
                scope=scope,
                body=request.body,
                answer=answer,
                raised=raised,
                recording=recording,
                context=contextvars.copy_context(),
                size=size,
            )
        )
        self._start_next()

    def _start_next(self) -> None:
        while self._waiting and len(self._tasks) < self._limits.concurrency:
            pair = self._waiting.popleft()
            self._waiting_bytes -= pair.size
            self._tasks.add(asyncio.create_task(self._settle(pair), context=pair.context))

    async def _settle(self, pair: _Pair) -> None:
        """All in one task, the candidate's own: threads that are busy leave the loop few turns, and each pair that
        took several would be starved."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is what runs this
        try:
            reason = await self._settled_in(task, pair)
        except Exception:
            # A fault of the comparison's own; the client has its answer.
            logger.exception("a comparison of %s failed", pair.endpoint)
            reason = "fault"
        except asyncio.CancelledError:
            reason = "shutdown"
        self._overdue.discard(task)
        if task in self._tasks:
            self._leave(task, pair, reason)

    def _leave(self, task: "asyncio.Task[None]", pair: _Pair, reason: SkipReason | None) -> None:
        if reason is not None:
            self._evidence.count(pair.endpoint, pair.mode.mode, "skipped", reason)
        self._tasks.discard(task)
        if reason != "shutdown":
            self._start_next()

    async def _settled_in(self, task: "asyncio.Task[None]", pair: _Pair) -> SkipReason | None:
        outcome = await self._observe(task, pair)
        if isinstance(outcome, str):
            return outcome
        primary = Observation(
            side=pair.side,
            answer=pair.answer.answer(),
            effects={} if pair.recording is None else pair.recording.effects(),
            raised=pair.raised,
        )
        await self._compare(pair, primary, outcome)
        return None

    async def _compare(self, pair: _Pair, primary: Observation, candidate: Observation) -> None:
        rules = [rule for rule in self._accepted if rule.applies_to(pair.endpoint)]
        if len(primary.answer.body) + len(candidate.answer.body) < LARGE_BYTES:
            verdict = compare(primary, candidate, accepted=rules)
        else:
            verdict = await asyncio.to_thread(compare, primary, candidate, accepted=rules)
        self._evidence.count(pair.endpoint, pair.mode.mode, verdict.outcome, verdict.reason)
        if candidate.side == "native" and candidate.answer.status >= 500:
            self._guard.native_failed(pair.endpoint, pair.mode)
        now = datetime.now(UTC)
        if verdict.outcome == "accepted":
            self._expiry.warn(now.date())
        if verdict.outcome != "mismatch":
            return
        mismatch = Mismatch(
            endpoint=pair.endpoint,
            at=now,
            mode=pair.mode,
            request=seen_request(pair.scope, pair.body),
            primary=primary,
            candidate=candidate,
            differences=verdict.differences,
            recording=None if pair.recording is None else pair.recording.to_json(),
        )
        logger.warning("%s: the sides differ: %s", pair.endpoint, verdict.differences[0])
        if not self._guard.mismatched(mismatch):
            self._evidence.add(mismatch)

    async def _observe(self, task: "asyncio.Task[None]", pair: _Pair) -> Observation | SkipReason:
        """Runs the candidate, within its limits."""
        side: Side = "native" if pair.side == "legacy" else "legacy"
        if self._candidates.are_busy(side):
            return "candidates_busy"
        client = CandidateClient(pair.body, max_bytes=self._limits.max_response_bytes)
        replay = None if pair.recording is None else pair.recording.replay(pair.scope)
        raised: str | None = None
        if side == "native":
            self._watchdog.watch(task, pair.endpoint)
        timer = asyncio.get_running_loop().call_later(self._limits.timeout_seconds, self._give_up, task, pair)
        try:
            await self._candidates.app(side)(pair.scope, client.receive, client.send)
        except Exception as exc:
            raised = _named(exc)
        except asyncio.CancelledError as exc:
            # Of one that is overdue, or that a candidate raised itself, unless the whole process ends.
            if task.cancelling() and task not in self._overdue:
                raise
            raised = _named(exc)
        finally:
            timer.cancel()
        if task in self._overdue:
            return "timed_out"
        return _observed(side, client.capture, raised, replay)

    def _give_up(self, task: "asyncio.Task[None]", pair: _Pair) -> None:
        self._overdue.add(task)
        task.cancel()
        asyncio.get_running_loop().call_later(CANCEL_SECONDS, self._let_go, task, pair)

    def _let_go(self, task: "asyncio.Task[None]", pair: _Pair) -> None:
        if task in self._tasks:
            logger.error("a candidate of %s goes on though it was cancelled", pair.endpoint)
            self._leave(task, pair, "timed_out")

    async def settled(self) -> None:
        """Returns when no comparison waits or runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Lets those that run end for a moment; the others are counted as skipped."""
        for pair in self._waiting:
            self._evidence.count(pair.endpoint, pair.mode.mode, "skipped", "shutdown")
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_SECONDS)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)


def _observed(side: Side, capture: Capture, raised: str | None, replay: Replay | None) -> Observation | SkipReason:
    if capture.too_large:
        return "candidate_too_large"
    if replay is not None and replay.unrecorded_read() is not None:
        return "unrecorded_read"
    return Observation(
        side=side,
        answer=capture.answer(),
        effects={} if replay is None else replay.effects(),
        raised=None if capture.complete else raised or "no answer",
    )


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"

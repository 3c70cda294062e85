"""Holds what the primary did against what the candidate would have done, behind the client's back."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_app.bridge.trace import TRACE, Trace
from fastapi_app.cutover.candidates.capture import CandidateClient, Capture, announced_bytes
from fastapi_app.cutover.candidates.exits import contain_exits
from fastapi_app.cutover.candidates.finishing import has_finished, until_finished
from fastapi_app.cutover.candidates.going_on import forget
from fastapi_app.cutover.candidates.judging import Judge, OffLoop
from fastapi_app.cutover.candidates.limits import HangingCandidates, HeavyCandidates, KeptThreads
from fastapi_app.cutover.candidates.observed import NO_ANSWER_TOLD, observed
from fastapi_app.cutover.candidates.pair import Pair, scope_of_candidate
from fastapi_app.cutover.candidates.patience import Patience
from fastapi_app.cutover.candidates.primary import run_noted
from fastapi_app.cutover.candidates.request_body import RequestBody, Room
from fastapi_app.cutover.candidates.steps import Steps, is_made_to_end
from fastapi_app.cutover.candidates.waiting_line import WaitingLine
from fastapi_app.cutover.candidates.watchdog import Watchdog
from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Observation, SkipReason
from fastapi_app.cutover.comparing.raised import named
from fastapi_app.cutover.effects import Effects
from fastapi_app.cutover.evidence.evidence import Evidence
from fastapi_app.cutover.modes.guard import Guard
from fastapi_app.cutover.modes.plan import Plan
from shared.modes import Side
from shared.settings import CutoverSettings

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, 9.2.1."""

NOT_RUN = frozenset({"stopped", "stale", "unfinished", "heavy", "candidates_busy", "fault", "shutdown"})
"""Reasons that say nothing about a candidate: it has not run, or not to its end."""

CANCEL_SECONDS = 1.0
"""How long a candidate gets to end once it is cancelled."""

RECORDED_SECONDS = 50.0
"""How long one may wait whose effects are recorded: what both sides count from now, such as the Expires of a cookie,
may be a minute apart."""

CLOSING_SECONDS = 1.0
"""How long a process that stops waits for candidates."""


class Candidates(Protocol):
    """Where candidates run, by side."""

    def app(self, side: Side) -> ASGIApp: ...

    def are_busy(self, side: Side) -> bool:
        """Whether every place for one is taken by a candidate that doesn't end."""
        ...


class Comparisons:
    """Serves a primary, takes it down, and runs the candidate once the answer is out.

    Candidates wait in a line that is bounded in number and bytes; what has no place in it is counted. Those whose
    endpoint is compared no more, as `in_force` says, aren't run. Not for use from several event loops at once.
    """

    def __init__(
        self,
        candidates: Candidates,
        *,
        settings: CutoverSettings,
        evidence: Evidence,
        guard: Guard,
        watchdog: Watchdog,
        effects: Effects | None,
        accepted: Sequence[AcceptedDifference],
        in_force: Callable[[str], Plan | None],
        stop_comparing: Callable[[str, Side, str], None],
        off_loop: OffLoop,
    ) -> None:
        self._candidates = candidates
        self._settings = settings
        self._evidence = evidence
        self._watchdog = watchdog
        self._effects = effects
        self._pure = frozenset(settings.pure)
        self._costly = frozenset(settings.costly)
        self._in_force = in_force
        self._judge = Judge(
            evidence=evidence,
            guard=guard,
            accepted=accepted,
            redacted_fields=settings.redacted_fields,
            full_mismatches_per_second=settings.full_mismatches_per_second,
            off_loop=off_loop,
        )
        self._heavy = HeavyCandidates()
        self._hanging = HangingCandidates(
            stop_comparing, concurrency=settings.concurrency, timeout_seconds=settings.timeout_seconds
        )
        self._kept_threads = KeptThreads(concurrency=settings.concurrency)
        self._waiting = WaitingLine(max_pairs=settings.max_queued, max_bytes=settings.max_queued_bytes)
        self._room = Room(settings.max_queued_bytes)
        self._is_starting = False
        # Those that hold a place; one that is let go may run on, and then it is among the loose ones.
        self._tasks: dict[asyncio.Task[None], Pair] = {}
        self._loose: dict[asyncio.Task[None], Pair] = {}
        self._overdue: set[asyncio.Task[None]] = set()
        self._let_exits_out: Callable[[], None] | None = None

    def figures(self) -> Mapping[str, int]:
        """Of this moment: comparisons that wait, the bytes that they hold, and those that run."""
        return {"queued": len(self._waiting), "queued_bytes": self._waiting.bytes, "running": len(self._tasks)}

    async def serve(self, primary: ASGIApp, side: Side, plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the request as `primary` alone would, and leaves a comparison or the reason why there is none."""
        skip = self._reason_to_skip(plan.endpoint, scope)
        if skip is not None:
            self._skip(plan, skip)
            await primary(scope, receive, send)
            return
        pair = await self._paired(side, plan, scope, receive)
        if pair is None:
            await primary(scope, receive, send)
            return
        scope[TRACE] = pair.primary_trace
        try:
            await run_noted(primary, pair, scope, send)
            if side == "native" and not pair.answer.complete:
                # The server says 500, or cuts the connection. The bridge does so itself where a client leaves.
                pair.raised = NO_ANSWER_TOLD
        except BaseException as exc:
            if is_made_to_end(exc):
                # The server cancels what is still open when its drain time is over.
                pair.request.leave()
                self._skip(plan, "shutdown")
            else:
                if not pair.answer.complete:
                    pair.raised = named(exc)
                self._line_up(pair)
            raise
        self._line_up(pair)

    async def _paired(self, side: Side, plan: Plan, scope: Scope, receive: Receive) -> Pair | None:
        """Begins to record the request; None where that can't be, and the reason is counted."""
        # Handlers write into context variables, too.
        candidate_scope = scope_of_candidate(scope)
        context = contextvars.copy_context()
        try:
            recording = None if self._effects is None else await self._effects.record(scope)
        except Exception:
            logger.exception("a request to %s can't be recorded", plan.endpoint)
            self._skip(plan, "fault")
            return None
        except BaseException:
            self._skip(plan, "shutdown")
            raise
        candidate_trace = candidate_scope[TRACE] = Trace()
        return Pair(
            plan=plan,
            side=side,
            scope=candidate_scope,
            context=context,
            request=RequestBody(scope, receive, max_bytes=self._settings.max_request_bytes, room=self._room),
            recording=recording,
            answer=Capture(max_bytes=self._settings.max_response_bytes),
            primary_trace=Trace(),
            candidate_trace=candidate_trace,
        )

    def _reason_to_skip(self, endpoint: str, scope: Scope) -> SkipReason | None:
        if endpoint in self._costly:
            return "costly"
        if self._effects is None and scope["method"] not in SAFE_METHODS and endpoint not in self._pure:
            return "unsafe"
        if announced_bytes(scope) > self._settings.max_request_bytes:
            return "request_too_large"
        if any(name == b"expect" for name, _ in scope["headers"]):
            # To look for a body that the app hasn't read would say 100 Continue where it refuses by the head alone.
            return "expect_continue"
        if self._waiting.is_full_for(endpoint):
            # Under load this is most of them, and it has to cost them nothing.
            return "queue_full"
        return None

    def _skip(self, plan: Plan, reason: SkipReason) -> None:
        self._evidence.count(plan.endpoint, plan.mode.mode, "skipped", reason)

    def _line_up(self, pair: Pair) -> None:
        """Puts the pair into the line, or counts why not."""
        skip: SkipReason | None = None
        body = pair.request.leave()
        if pair.answer.is_event_stream:
            skip = "stream"
        elif pair.answer.too_large:
            skip = "response_too_large"
        elif pair.primary_trace.refused:
            skip = "primary_busy"
        elif pair.client_left or (not pair.answer.complete and pair.raised is None):
            skip = "client_left"
        elif isinstance(body, str):
            skip = body
        else:
            pair.body = body
            pair.since = time.monotonic()
            for other in self._waiting.join(pair):
                self._skip(other.plan, "queue_full")
            self._start_next()
        if skip is not None:
            self._skip(pair.plan, skip)

    def _start_next(self) -> None:
        """One for each turn of the loop, so that a busy loop, whose turns are long, goes on with clients first."""
        if self._is_starting or not self._waiting or len(self._tasks) >= self._settings.concurrency:
            return
        loop = asyncio.get_running_loop()
        if self._let_exits_out is None:
            # Not before the first candidate: each task of the loop pays for it, and so does each request.
            self._let_exits_out = contain_exits(loop)
        pair = self._waiting.take()
        # Not by the loop's factory, which may be an eager one: the candidate would run in its client's request.
        task = asyncio.Task(self._settle(pair), loop=loop, context=pair.context)
        task.add_done_callback(self._never_began)
        self._tasks[task] = pair
        self._is_starting = True

    def _never_began(self, task: "asyncio.Task[None]") -> None:
        """One that is cancelled before its first step, by whatever cancels all tasks, would keep its place. As in
        `_settle`, none is started then: the loop may be about to end."""
        pair = self._tasks.get(task)
        if pair is not None:
            self._is_starting = False
            self._leave(task, pair, "shutdown")

    async def _settle(self, pair: Pair) -> None:
        """All in one task, the candidate's own: threads that are busy leave the loop few turns, and each pair that
        took several would be starved."""
        self._is_starting = False
        self._start_next()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is what runs this
        reason: SkipReason | None = "fault"
        try:
            reason = await self._settled_in(task, pair)
        except Exception:
            # A fault of the comparison's own; the client has its answer.
            logger.exception("a comparison of %s failed", pair.plan.endpoint)
        except asyncio.CancelledError:
            reason = "shutdown"
        finally:
            # Its traceback leads back to the pair.
            pair.candidate_error = None
            self._overdue.discard(task)
            self._loose.pop(task, None)
            if task in self._tasks:
                self._leave(task, pair, reason)

    def _leave(self, task: "asyncio.Task[None]", pair: Pair, reason: SkipReason | None) -> None:
        if reason is not None:
            self._skip(pair.plan, reason)
        self._heavy.end(pair.plan.endpoint, task)
        if reason not in NOT_RUN:
            self._hanging.note(pair.plan.endpoint, pair.candidate_side, overdue=reason == "timed_out")
        del self._tasks[task]
        if reason != "shutdown":
            self._start_next()

    async def _settled_in(self, task: "asyncio.Task[None]", pair: Pair) -> SkipReason | None:
        # Behind an answer, what the app does in `close()` has effects, too, and the candidate is to find them recorded.
        if pair.recording is not None and not await has_finished(
            pair.primary_trace, within_seconds=self._settings.timeout_seconds
        ):
            return "unfinished"
        outcome = await self._observe(task, pair)
        if isinstance(outcome, str):
            return outcome
        primary = Observation(
            side=pair.side,
            answer=pair.answer.answer(),
            effects={} if pair.recording is None else pair.recording.effects(),
            raised=pair.raised,
        )
        return await self._judge.judge(pair, primary, outcome)

    def _reason_not_to_run(self, pair: Pair) -> SkipReason | None:
        """What has come up since the primary was through."""
        endpoint, side = pair.plan.endpoint, pair.candidate_side
        in_force = self._in_force(endpoint)
        if in_force is None or not in_force.sample_rate:
            return "stopped"
        max_seconds = self._settings.max_queued_seconds if pair.recording is None else RECORDED_SECONDS
        if time.monotonic() - pair.since > max_seconds:
            return "stale"
        if side == "native" and self._heavy.rests(endpoint):
            return "heavy"
        loose = sum(endpoint == other.plan.endpoint for other in self._loose.values())
        has_its_share = loose >= self._settings.concurrency or self._kept_threads.are_too_many(endpoint)
        return "candidates_busy" if has_its_share or self._candidates.are_busy(side) else None

    async def _observe(self, task: "asyncio.Task[None]", pair: Pair) -> Observation | SkipReason:
        """Runs the candidate, within its limits."""
        side = pair.candidate_side
        endpoint = pair.plan.endpoint
        reason = self._reason_not_to_run(pair)
        if reason is not None:
            return reason
        client = CandidateClient(pair.body, max_bytes=self._settings.max_response_bytes)
        pair.replay = None if pair.recording is None else pair.recording.replay(pair.scope)
        if side == "native":
            self._heavy.begin(endpoint, task)
        candidate = self._watchdog.watch(endpoint) if side == "native" else None
        steps = Steps(_run(self._candidates.app(side), pair.scope, client))
        patience = Patience(self._settings.timeout_seconds, partial(self._give_up, task, pair, client.capture))
        try:
            await steps
            await until_finished(pair.candidate_trace)
        except BaseException as exc:
            # Also what no handler should raise: a panic of an extension, SystemExit, a cancellation of its own. But
            # the end of the process is one.
            from_outside = task.cancelling() and not steps.cancelled_itself and task not in self._overdue
            if isinstance(exc, asyncio.CancelledError) and from_outside:
                raise
            pair.candidate_error = exc
        finally:
            patience.end()
            if candidate is not None:
                longest = max(steps.longest_seconds, candidate.longest_seconds)
                self._heavy.note(endpoint, longest, too_large=client.capture.too_large)
        if task in self._overdue:
            self._kept_threads.note(endpoint, pair.candidate_trace)
            # What an app goes on with behind its whole answer matters where its effects are recorded.
            if pair.replay is not None or not pair.answered_in_time or task in self._loose:
                return "timed_out"
            pair.candidate_error = None
            self._overdue.discard(task)
        if pair.candidate_trace.refused:
            return "candidates_busy"
        return observed(side, client.capture, pair.candidate_error, pair.replay)

    def _give_up(self, task: "asyncio.Task[None]", pair: Pair, capture: Capture) -> None:
        pair.answered_in_time = capture.complete
        self._overdue.add(task)
        task.cancel()
        Patience(CANCEL_SECONDS, partial(self._let_go, task, pair))

    def _let_go(self, task: "asyncio.Task[None]", pair: Pair) -> None:
        if task in self._tasks and task in self._overdue:
            logger.error("a candidate of %s goes on though it was cancelled", pair.plan.endpoint)
            self._loose[task] = pair
            self._leave(task, pair, "timed_out")

    async def settled(self) -> None:
        """Returns when no comparison waits or runs."""
        self._start_next()
        while self._tasks:
            await asyncio.wait(self._tasks)
            self._start_next()

    async def aclose(self) -> None:
        """Lets those that run end for a moment; the others are counted as skipped."""
        for pair in self._waiting.leave():
            self._skip(pair.plan, "shutdown")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_SECONDS)
        ending = {*self._tasks, *self._loose}
        for task in ending:
            task.cancel()
        if ending:
            _, going_on = await asyncio.wait(ending, timeout=CANCEL_SECONDS)
            for task in going_on & self._tasks.keys():
                self._leave(task, self._tasks[task], "shutdown")
            forget(going_on)
        if self._let_exits_out is not None:
            self._let_exits_out()
            self._let_exits_out = None


async def _run(app: ASGIApp, scope: Scope, client: CandidateClient) -> None:
    await app(scope, client.receive, client.send)

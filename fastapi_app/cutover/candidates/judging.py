"""What becomes of two observations of one request: counted, kept, and told to the guard."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi_app.cutover.candidates.capture import seen_request
from fastapi_app.cutover.candidates.limits import FullMismatches
from fastapi_app.cutover.candidates.pair import Pair
from fastapi_app.cutover.comparing.accepted import AcceptedDifference, ExpiryWatch
from fastapi_app.cutover.comparing.observation import Mismatch, Observation, SkipReason
from fastapi_app.cutover.comparing.raised import place_of
from fastapi_app.cutover.comparing.verdict import Verdict, compare, compare_small
from fastapi_app.cutover.effects import Recording, Replay
from fastapi_app.cutover.evidence.evidence import Evidence
from fastapi_app.cutover.evidence.redaction import redacted, without_content
from fastapi_app.cutover.modes.guard import Guard
from fastapi_app.cutover.modes.plan import Plan

logger = logging.getLogger(__name__)

LARGE_BYTES = 4 * 2**10
"""From here on two bodies that aren't equal, or effects, are compared in a thread: two megabytes of JSON take a second,
and 50 KB of lists that have to be aligned half a second."""

MAX_TOLD = 1_000
"""Places of which a traceback is logged."""

GUARD_PATIENCE_SECONDS = 0.25
"""How long the guard waits for a mismatch to be redacted; within a second every process is to know what it decides."""

OffLoop = Callable[..., Awaitable[Any]]
"""Calls a function with its arguments in a thread of the cutover's own; candidates can fill those of asyncio."""


class Judge:
    """Compares, counts the outcome, and keeps a mismatch without the values of `redacted_fields`.

    Where the guard has nothing to take back, at most `full_mismatches_per_second` of an endpoint are kept, after the
    first ones, and fewer where answers are large. The guard doesn't wait for a long redaction: what it is told of then
    is kept twice, first without its content.
    """

    def __init__(
        self,
        *,
        evidence: Evidence,
        guard: Guard,
        accepted: Sequence[AcceptedDifference],
        redacted_fields: Collection[str],
        full_mismatches_per_second: float,
        off_loop: OffLoop,
    ) -> None:
        self._evidence = evidence
        self._guard = guard
        self._accepted = accepted
        self._expiry = ExpiryWatch(accepted)
        self._redacted_fields = redacted_fields
        self._full = FullMismatches(per_second=full_mismatches_per_second)
        self._off_loop = off_loop
        self._told: set[tuple[str, str | None]] = set()

    async def judge(self, pair: Pair, primary: Observation, candidate: Observation) -> SkipReason | None:
        """Or the reason why it can't be judged."""
        plan, method = pair.plan, pair.scope["method"]
        rules = [rule for rule in self._accepted if rule.applies_to(plan.endpoint)]
        if pair.replay is not None and pair.replay.unrecorded_read() is not None:
            verdict = await self._compared(*_proven(pair.replay, primary), rules, method=method)
            if verdict.outcome != "mismatch":
                return "unrecorded_read"
        else:
            verdict = await self._compared(primary, candidate, rules, method=method)
        self._evidence.count(plan.endpoint, plan.mode.mode, verdict.outcome, verdict.reason)
        if candidate.side == "native" and candidate.answer.status >= 500:
            self._guard.native_failed(plan)
        if verdict.outcome == "accepted":
            self._expiry.warn(datetime.now(UTC).date())
        if verdict.outcome != "mismatch":
            return None
        body_bytes = len(primary.answer.body) + len(candidate.answer.body)
        if not self._guard.watches(plan) and not self._full.take(plan.endpoint, body_bytes=body_bytes):
            return None
        error = pair.candidate_error
        if error is not None:
            candidate = replace(candidate, raised_at=place_of(error))
        found = Mismatch(
            endpoint=plan.endpoint,
            at=datetime.now(UTC),
            mode=plan.mode,
            request=seen_request(pair.scope, pair.body),
            primary=primary,
            candidate=candidate,
            differences=verdict.differences,
            recording=_written(plan.endpoint, pair.recording),
        )
        await self._keep(plan, found, rules)
        if error is not None:
            await self._tell(plan.endpoint, candidate.raised_at, error)
        return None

    async def _compared(
        self, primary: Observation, candidate: Observation, rules: Sequence[AcceptedDifference], *, method: str
    ) -> Verdict:
        verdict = compare_small(primary, candidate, accepted=rules, method=method, below=LARGE_BYTES)
        if verdict is None:
            verdict = await self._off_loop(compare, primary, candidate, accepted=rules, method=method)
        return verdict

    async def _keep(self, plan: Plan, found: Mismatch, rules: Sequence[AcceptedDifference]) -> None:
        redaction = asyncio.create_task(self._redacted(found, rules))
        is_kept = False
        try:
            await asyncio.wait({redaction}, timeout=GUARD_PATIENCE_SECONDS)
            if not redaction.done():
                # What is large takes seconds, in which clients would go on getting native's answers.
                is_kept = self._guard.mismatched(plan, self._bare(found))
            mismatch = await redaction
        except asyncio.CancelledError:
            # The process stops. What was found is kept, in so far as it can be at once.
            redaction.cancel()
            if is_kept:
                return
            mismatch = self._bare(found)
        logger.warning("%s: the sides differ: %s", plan.endpoint, mismatch.first_difference)
        if is_kept or not self._guard.mismatched(plan, mismatch):
            self._evidence.add(mismatch)

    async def _tell(self, endpoint: str, place: str | None, error: BaseException) -> None:
        """The server logs what a primary raises; nobody else does so for a candidate. Each place once: to write a
        traceback takes a hundred times what a comparison does."""
        told = (endpoint, place)
        if told in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told.add(told)
        await self._off_loop(logger.warning, "%s: the candidate raised %s", *told, exc_info=error)

    def _bare(self, found: Mismatch) -> Mismatch:
        return without_content(found, fields=self._redacted_fields)

    async def _redacted(self, found: Mismatch, rules: Sequence[AcceptedDifference]) -> Mismatch:
        try:
            mismatch: Mismatch = await self._off_loop(redacted, found, fields=self._redacted_fields, accepted=rules)
        except Exception as exc:
            # A hostile body must not switch the guard off. The exception's message may quote it.
            sentence = "a mismatch of %s can't be redacted (%s), and is kept without its content"
            logger.error(sentence, found.endpoint, type(exc).__name__)  # noqa: TRY400
            return self._bare(found)
        return mismatch


def _written(endpoint: str, recording: Recording | None) -> Mapping[str, Any] | None:
    try:
        return None if recording is None else recording.to_json()
    except Exception:
        # An app's own code must not switch the guard off.
        logger.exception("a recording of %s can't be written, and its mismatch is kept without", endpoint)
        return None


def _proven(replay: Replay, primary: Observation) -> tuple[Observation, Observation]:
    """What the candidate had left before it read what the recording can't answer, against what the primary had. Its
    answer says nothing."""
    ours, theirs = replay.until_unrecorded()
    return replace(primary, effects=ours), replace(primary, effects=theirs)

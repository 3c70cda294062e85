"""What becomes of two observations of one request: counted, kept, and told to the guard."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi_app.cutover.candidates.capture import seen_request
from fastapi_app.cutover.candidates.limits import FullMismatches
from fastapi_app.cutover.candidates.pair import Pair
from fastapi_app.cutover.comparing.accepted import AcceptedDifference, ExpiryWatch
from fastapi_app.cutover.comparing.observation import Mismatch, Observation, SkipReason
from fastapi_app.cutover.comparing.verdict import Verdict, compare
from fastapi_app.cutover.effects import Replay
from fastapi_app.cutover.evidence.evidence import Evidence
from fastapi_app.cutover.evidence.redaction import redacted, without_content
from fastapi_app.cutover.modes.guard import Guard

logger = logging.getLogger(__name__)

LARGE_BYTES = 64 * 2**10
"""From here on two bodies are compared in a thread: a megabyte of JSON takes some tenths of a second."""

OffLoop = Callable[..., Awaitable[Any]]
"""Calls a function with its arguments in a thread of the cutover's own; candidates can fill those of asyncio."""


class Judge:
    """Compares, counts the outcome, and keeps a mismatch without the values of `redacted_fields`.

    Where clients get only one side's answers, at most `full_mismatches_per_second` of an endpoint are kept, after the
    first ones. The guard is told of each.
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

    async def judge(self, pair: Pair, primary: Observation, candidate: Observation) -> SkipReason | None:
        """Or the reason why it can't be judged."""
        plan = pair.plan
        rules = [rule for rule in self._accepted if rule.applies_to(plan.endpoint)]
        if pair.replay is not None and pair.replay.unrecorded_read() is not None:
            verdict = _proven(pair.replay, primary, rules)
            if verdict.outcome != "mismatch":
                return "unrecorded_read"
        elif len(primary.answer.body) + len(candidate.answer.body) < LARGE_BYTES:
            verdict = compare(primary, candidate, accepted=rules)
        else:
            verdict = await self._off_loop(compare, primary, candidate, accepted=rules)
        self._evidence.count(plan.endpoint, plan.mode.mode, verdict.outcome, verdict.reason)
        if candidate.side == "native" and candidate.answer.status >= 500:
            self._guard.native_failed(plan)
        if verdict.outcome == "accepted":
            self._expiry.warn(datetime.now(UTC).date())
        if verdict.outcome != "mismatch" or not (plan.guarded or self._full.take(plan.endpoint)):
            return None
        found = Mismatch(
            endpoint=plan.endpoint,
            at=datetime.now(UTC),
            mode=plan.mode,
            request=seen_request(pair.scope, pair.body),
            primary=primary,
            candidate=candidate,
            differences=verdict.differences,
            recording=None if pair.recording is None else pair.recording.to_json(),
        )
        mismatch = await self._redacted(found, rules)
        logger.warning("%s: the sides differ: %s", plan.endpoint, mismatch.differences[0])
        if not self._guard.mismatched(plan, mismatch):
            self._evidence.add(mismatch)
        return None

    async def _redacted(self, found: Mismatch, rules: Sequence[AcceptedDifference]) -> Mismatch:
        try:
            mismatch: Mismatch = await self._off_loop(redacted, found, fields=self._redacted_fields, accepted=rules)
        except Exception as exc:
            # A hostile body must not switch the guard off. The exception's message may quote it.
            sentence = "a mismatch of %s can't be redacted (%s), and is kept without its content"
            logger.error(sentence, found.endpoint, type(exc).__name__)  # noqa: TRY400
            return without_content(found)
        return mismatch


def _proven(replay: Replay, primary: Observation, rules: Sequence[AcceptedDifference]) -> Verdict:
    """By what the candidate had left before it read what the recording can't answer. Its answer says nothing."""
    ours, theirs = replay.until_unrecorded()
    return compare(replace(primary, effects=ours), replace(primary, effects=theirs), accepted=rules)

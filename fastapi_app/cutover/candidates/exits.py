"""The tasks that a candidate starts: none ends the process, and what each computes is the candidate's."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi_app.cutover.candidates.steps import Steps
from fastapi_app.cutover.candidates.watchdog import Candidate, candidate_in


class CandidateExitedError(RuntimeError):
    """A candidate's task raised SystemExit or KeyboardInterrupt, which asyncio hands on to whoever runs the loop."""


def contain_exits(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """From here on such a task fails as by any other exception, and who awaits it sees CandidateExitedError; until what
    is returned is called. Tasks of others are made as ever, and a cancellation stays one.

    Not contained is what a candidate has the loop call back by itself (`call_soon`), which is no task's.
    """
    before = loop.get_task_factory()
    make: Any = before or _new_task

    def of_a_candidate_or_not(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        candidate = candidate_in(options.get("context"))
        if candidate is None or not asyncio.iscoroutine(coroutine):
            return make(loop, coroutine, **options)
        task = make(loop, _contained(coroutine, candidate), **options)
        # One that is cancelled before its first step was never awaited.
        task.add_done_callback(lambda _: coroutine.close())
        return task

    def end() -> None:
        # Where others have put theirs around it since, it stays, and finds no candidates.
        if loop.get_task_factory() is of_a_candidate_or_not:
            loop.set_task_factory(before)

    loop.set_task_factory(of_a_candidate_or_not)
    return end


def _new_task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any) -> Any:
    return asyncio.Task(coroutine, loop=loop, **options)


async def _contained(coroutine: Coroutine[Any, Any, Any], candidate: Candidate) -> Any:
    steps = Steps(coroutine)
    try:
        return await steps
    except (SystemExit, KeyboardInterrupt) as exc:
        raise CandidateExitedError(f"{type(exc).__name__}: {exc}") from exc
    finally:
        candidate.longest_seconds = max(candidate.longest_seconds, steps.longest_seconds)

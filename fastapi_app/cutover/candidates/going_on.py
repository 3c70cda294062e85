"""Candidates that can't be cancelled, when the process ends."""

import asyncio
from collections.abc import Collection

from fastapi_app.cutover.candidates.watchdog import candidate_of


def forget(candidates: Collection["asyncio.Task[None]"]) -> None:
    """asyncio.run ends by waiting for every task that it knows, so one that can't be cancelled would keep the process
    from ending."""
    owners = {candidate_of(task) for task in candidates}
    for task in asyncio.all_tasks():
        if candidate_of(task) in owners - {None}:
            asyncio._unregister_task(task)
            # The log has said so already.
            task._log_destroy_pending = False  # type: ignore[attr-defined]

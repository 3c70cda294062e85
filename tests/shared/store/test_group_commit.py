"""GroupCommit alone, over a commit that only notes what it was given."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from shared.errors import StoreUnavailable
from shared.store.group_commit import MAX_JOBS_PER_COMMIT, GroupCommit, Job
from tests.shared.store.helpers import DEADLINE_SECONDS, in_thread

Batch = list[str]
Work = Callable[[Batch], str]


class Commits:
    """A commit function that can be held, and whose nth call, counted from 1, can be made to fail."""

    def __init__(self) -> None:
        self.groups: list[Batch] = []
        self.errors: dict[int, BaseException] = {}
        self.entered = threading.Event()
        self.released = threading.Event()
        self.released.set()
        self._calls = 0

    def __call__(self, jobs: Sequence[Job[Batch, Any]]) -> None:
        self._calls += 1
        self.entered.set()
        assert self.released.wait(DEADLINE_SECONDS)
        batch: Batch = []
        for job in jobs:
            try:
                job.result = job.work(batch)
            except Exception as exc:
                job.error = exc
        if self._calls in self.errors:
            raise self.errors[self._calls]
        self.groups.append(batch)

    @property
    def written(self) -> Batch:
        return [name for group in self.groups for name in group]


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def group_commit(commits: Commits) -> Iterator[GroupCommit[Batch]]:
    group_commit = GroupCommit(commits, max_waiting=1000)
    yield group_commit
    commits.released.set()
    in_thread(group_commit.close).result(DEADLINE_SECONDS)


def write(name: str) -> Work:
    def work(batch: Batch) -> str:
        batch.append(name)
        return f"wrote {name}"

    return work


def fail(error: Exception) -> Work:
    def work(_batch: Batch) -> str:
        raise error

    return work


@contextmanager
def held(group_commit: GroupCommit[Batch], commits: Commits) -> Iterator[None]:
    """Holds the first commit, of `first` alone: what is handed over meanwhile waits for the second."""
    commits.released.clear()
    first = in_thread(group_commit.run, write("first"))
    assert commits.entered.wait(DEADLINE_SECONDS)
    try:
        yield
    finally:
        commits.released.set()
    assert first.result(DEADLINE_SECONDS) == "wrote first"


async def hand_over(group_commit: GroupCommit[Batch], *works: Work) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(group_commit.run_async(work)) for work in works]
    await asyncio.sleep(0)
    return tasks


async def finished(tasks: list[asyncio.Task[str]]) -> list[str | BaseException]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await asyncio.gather(*tasks, return_exceptions=True)


def writers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "store-writer"}


async def test_each_caller_gets_the_result_of_its_own_work(group_commit: GroupCommit[Batch]) -> None:
    threads = [in_thread(group_commit.run, write(f"thread {number}")) for number in range(20)]
    tasks = await hand_over(group_commit, *[write(f"task {number}") for number in range(20)])
    assert await finished(tasks) == [f"wrote task {number}" for number in range(20)]
    results = [thread.result(DEADLINE_SECONDS) for thread in threads]
    assert results == [f"wrote thread {number}" for number in range(20)]


async def test_what_waits_goes_into_one_commit_in_the_order_in_which_it_came(
    group_commit: GroupCommit[Batch], commits: Commits
) -> None:
    names = [f"job {number}" for number in range(50)]
    with held(group_commit, commits):
        tasks = await hand_over(group_commit, *map(write, names))
    await finished(tasks)
    assert commits.groups == [["first"], names]


async def test_a_group_has_a_largest_size(group_commit: GroupCommit[Batch], commits: Commits) -> None:
    names = [f"job {number}" for number in range(MAX_JOBS_PER_COMMIT * 2 + 1)]
    with held(group_commit, commits):
        tasks = await hand_over(group_commit, *map(write, names))
    await finished(tasks)
    assert commits.written == ["first", *names]
    assert max(map(len, commits.groups)) == MAX_JOBS_PER_COMMIT


async def test_nobody_is_answered_before_the_commit(group_commit: GroupCommit[Batch], commits: Commits) -> None:
    commits.released.clear()
    thread = in_thread(group_commit.run, write("thread"))
    assert commits.entered.wait(DEADLINE_SECONDS)
    [task] = await hand_over(group_commit, write("task"))
    done, _ = await asyncio.wait([task, asyncio.wrap_future(thread)], timeout=0.05)
    assert done == set()
    commits.released.set()
    assert await finished([task]) == ["wrote task"]
    assert thread.result(DEADLINE_SECONDS) == "wrote thread"


async def test_a_job_that_raises_fails_alone(group_commit: GroupCommit[Batch], commits: Commits) -> None:
    error = LookupError("mine")
    with held(group_commit, commits):
        tasks = await hand_over(group_commit, write("a"), fail(error), write("b"))
    assert await finished(tasks) == ["wrote a", error, "wrote b"]
    with pytest.raises(LookupError, match="mine"):
        in_thread(group_commit.run, fail(error)).result(DEADLINE_SECONDS)
    assert commits.written == ["first", "a", "b"]


async def test_a_stop_iteration_reaches_its_caller_and_nobody_hangs(
    group_commit: GroupCommit[Batch], commits: Commits
) -> None:
    with held(group_commit, commits):
        tasks = await hand_over(group_commit, write("a"), fail(StopIteration()), write("b"))
    before, error, after = await finished(tasks)
    assert (before, after) == ("wrote a", "wrote b")
    # A coroutine can't raise StopIteration itself (PEP 479).
    assert type(error) is RuntimeError
    assert type(error.__cause__) is StopIteration
    with pytest.raises(StopIteration):
        in_thread(group_commit.run, fail(StopIteration())).result(DEADLINE_SECONDS)


@pytest.mark.parametrize("error", [OSError("disk"), SystemExit(1), KeyboardInterrupt()], ids=repr)
async def test_a_commit_that_raises_fails_its_whole_group_and_no_other(
    group_commit: GroupCommit[Batch], commits: Commits, error: BaseException
) -> None:
    async def caught(name: str) -> str | BaseException:
        try:
            return await group_commit.run_async(write(name))
        except BaseException as exc:  # SystemExit would end the task's event loop
            return exc

    commits.errors[2] = error
    with held(group_commit, commits):
        tasks = [asyncio.create_task(caught(name)) for name in "ab"]
        await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await asyncio.gather(*tasks) == [error, error]
    assert in_thread(group_commit.run, write("c")).result(DEADLINE_SECONDS) == "wrote c"
    commits.errors[4] = error
    assert in_thread(group_commit.run, write("d")).exception(DEADLINE_SECONDS) is error
    assert in_thread(group_commit.run, write("e")).result(DEADLINE_SECONDS) == "wrote e"
    assert commits.written == ["first", "c", "e"]


async def test_the_work_of_a_cancelled_caller_is_done(group_commit: GroupCommit[Batch], commits: Commits) -> None:
    with held(group_commit, commits):
        tasks = await hand_over(group_commit, *map(write, "abc"))
        tasks[1].cancel()
        await asyncio.wait([tasks[1]], timeout=DEADLINE_SECONDS)
        assert tasks[1].cancelled()
    assert (await finished(tasks))[::2] == ["wrote a", "wrote c"]
    assert commits.written == ["first", "a", "b", "c"]


def test_a_loop_that_was_closed_meanwhile_hurts_nobody_else(group_commit: GroupCommit[Batch], commits: Commits) -> None:
    async def leave() -> None:
        # Pending at the end of the run: `asyncio.run` cancels them, and closes the loop.
        await hand_over(group_commit, *map(write, "ab"))

    with held(group_commit, commits):
        asyncio.run(leave())
        thread = in_thread(group_commit.run, write("thread"))
    assert thread.result(DEADLINE_SECONDS) == "wrote thread"
    assert commits.written == ["first", "a", "b", "thread"]
    assert in_thread(group_commit.run, write("next")).result(DEADLINE_SECONDS) == "wrote next"


def test_tasks_of_several_loops_are_answered_each_on_its_own(group_commit: GroupCommit[Batch]) -> None:
    ready = threading.Barrier(4)

    async def tasks(name: str) -> list[str | BaseException]:
        ready.wait(DEADLINE_SECONDS)
        loop = asyncio.get_running_loop()
        answers = await finished(await hand_over(group_commit, *[write(f"{name}{number}") for number in range(50)]))
        assert asyncio.get_running_loop() is loop
        return answers

    loops = {name: in_thread(asyncio.run, tasks(name)) for name in "abcd"}
    for name, loop in loops.items():
        assert loop.result(DEADLINE_SECONDS) == [f"wrote {name}{number}" for number in range(50)]


async def test_more_than_may_wait_is_refused_and_what_waits_is_not_harmed(commits: Commits) -> None:
    group_commit = GroupCommit(commits, max_waiting=3)
    with held(group_commit, commits):
        tasks = await hand_over(group_commit, *map(write, "abcde"))
        with pytest.raises(StoreUnavailable, match="3 writes are waiting"):
            group_commit.run(write("f"))
    answers = await finished(tasks)
    assert answers[:3] == ["wrote a", "wrote b", "wrote c"]
    assert [type(answer) for answer in answers[3:]] == [StoreUnavailable, StoreUnavailable]
    assert await finished(await hand_over(group_commit, write("later"))) == ["wrote later"]
    group_commit.close()
    assert commits.written == ["first", "a", "b", "c", "later"]


async def test_close_commits_what_was_handed_over_and_ends_the_thread(commits: Commits) -> None:
    others = writers()
    group_commit = GroupCommit(commits, max_waiting=1000)
    with held(group_commit, commits):
        assert len(writers() - others) == 1
        tasks = await hand_over(group_commit, *map(write, "abc"))
        closing = in_thread(group_commit.close)
    closing.result(DEADLINE_SECONDS)
    assert commits.written == ["first", "a", "b", "c"]
    assert await finished(tasks) == ["wrote a", "wrote b", "wrote c"]
    assert writers() == others


async def test_what_comes_after_close_is_refused(group_commit: GroupCommit[Batch], commits: Commits) -> None:
    group_commit.run(write("a"))
    group_commit.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        group_commit.run(write("b"))
    with pytest.raises(StoreUnavailable, match="closed"):
        await group_commit.run_async(write("c"))
    group_commit.close()
    assert commits.written == ["a"]


def test_without_a_job_there_is_no_thread(commits: Commits) -> None:
    others = writers()
    group_commit = GroupCommit(commits, max_waiting=1000)
    assert writers() == others
    group_commit.close()
    assert writers() == others


def test_a_thread_that_cannot_start_is_tried_again(
    group_commit: GroupCommit[Batch], commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises((RuntimeError, StoreUnavailable), match="can't start new thread"):
            group_commit.run(write("a"))
    assert in_thread(group_commit.run, write("b")).result(DEADLINE_SECONDS) == "wrote b"
    assert commits.written == ["b"]


def test_everybody_is_answered_also_when_it_closes_in_the_midst(commits: Commits) -> None:
    group_commit = GroupCommit(commits, max_waiting=1000)
    ready = threading.Barrier(9)

    def run(name: str) -> list[str]:
        ready.wait(DEADLINE_SECONDS)
        answered: list[str] = []
        for number in range(10_000):
            try:
                group_commit.run(write(f"{name}{number}"))
            except StoreUnavailable:
                return answered
            answered.append(f"{name}{number}")
        raise AssertionError("it was never closed")

    threads = [in_thread(run, name) for name in "abcdefgh"]
    ready.wait(DEADLINE_SECONDS)
    commits.entered.wait(DEADLINE_SECONDS)
    in_thread(group_commit.close).result(DEADLINE_SECONDS)
    answered = [name for thread in threads for name in thread.result(DEADLINE_SECONDS)]
    assert sorted(answered) == sorted(commits.written)

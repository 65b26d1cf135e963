"""The writer thread: what is committed together, what fails together, who is answered when."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from pointsman.runtime import durable_sqlite
from pointsman.runtime.group_commit import GroupCommit
from pointsman.runtime.waiting_jobs import Batch
from pointsman.testing.waiting import wait_until


class BusyError(Exception):
    """What the users of these writers see."""


class Names:
    """Inserts names; answers with how many jobs were committed together."""

    def __init__(self) -> None:
        self.gate = Event()
        self.gate.set()
        self.entered = Event()
        self.batches: list[list[str]] = []
        self.announced: list[str] = []
        self.forgotten = 0

    def run(self, connection: sqlite3.Connection, jobs: Sequence[str]) -> Batch[int]:
        self.entered.set()
        self.gate.wait()
        self.batches.append(list(jobs))
        answers: list[int | Exception] = []
        for job in jobs:
            if job == "defect":
                raise KeyError(job)
            if job == "refused":
                answers.append(ValueError(job))
                continue
            connection.execute("INSERT INTO name VALUES (?)", (job,))
            answers.append(len(jobs))
        return Batch(answers, lambda: self.announced.extend(jobs))

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "names.db"


@pytest.fixture
async def commits(path: Path, names: Names) -> AsyncIterator[GroupCommit[str, int]]:
    connection = durable_sqlite.connect_writer(path)
    connection.execute("CREATE TABLE name (name TEXT UNIQUE)")
    commits = GroupCommit(connection, names, name="names", unavailable=BusyError, max_waiting=8)
    yield commits
    names.gate.set()
    await commits.close()


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM name ORDER BY rowid")]


def submit_all(
    commits: GroupCommit[str, int], jobs: Sequence[str], *, timeout_s: float = 5
) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(commits.submit(job, timeout_s=timeout_s)) for job in jobs]


async def behind_a_slow_batch(
    commits: GroupCommit[str, int], names: Names, jobs: Sequence[str]
) -> list[asyncio.Task[int]]:
    """Submits `jobs` while the writer is held inside an earlier batch."""
    names.gate.clear()
    first = submit_all(commits, ["first"])
    await wait_until(names.entered.is_set)
    tasks = submit_all(commits, jobs)
    await asyncio.wait(tasks, timeout=0)
    return first + tasks


async def test_one_job_alone_is_committed_alone(commits: GroupCommit[str, int], path: Path) -> None:
    assert await commits.submit("a", timeout_s=5) == 1
    assert stored(path) == ["a"]


async def test_what_waits_during_a_commit_is_committed_together_in_order(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    tasks = await behind_a_slow_batch(commits, names, ["a", "b", "c"])

    names.gate.set()

    assert await asyncio.gather(*tasks) == [1, 3, 3, 3]
    assert names.batches == [["first"], ["a", "b", "c"]]
    assert stored(path) == names.announced == ["first", "a", "b", "c"]


async def test_jobs_of_one_turn_of_the_loop_share_a_commit(
    commits: GroupCommit[str, int], names: Names
) -> None:
    answers = await asyncio.gather(*submit_all(commits, ["a", "b", "c"]))

    assert answers == [3, 3, 3]
    assert names.batches == [["a", "b", "c"]]


async def test_an_answer_comes_after_the_announcement_and_the_commit(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    async def submit_and_look(job: str) -> bool:
        await commits.submit(job, timeout_s=5)
        return job in names.announced and job in stored(path)

    assert all(await asyncio.gather(*(submit_and_look(job) for job in "abcdef")))


async def test_an_error_of_the_database_fails_the_whole_batch_and_the_next_goes_on(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    tasks = await behind_a_slow_batch(commits, names, ["a", "first", "c"])

    names.gate.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, BusyError, BusyError, BusyError]
    assert names.forgotten == 1
    assert await commits.submit("d", timeout_s=5) == 1
    assert stored(path) == names.announced == ["first", "d"]


async def test_a_defect_is_raised_as_it_is_and_the_thread_lives_on(
    commits: GroupCommit[str, int], path: Path
) -> None:
    with pytest.raises(KeyError, match="defect"):
        await commits.submit("defect", timeout_s=5)

    assert await commits.submit("a", timeout_s=5) == 1
    assert stored(path) == ["a"]


async def test_a_job_may_fail_alone(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    tasks = await behind_a_slow_batch(commits, names, ["a", "refused", "c"])

    names.gate.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, int, ValueError, int]
    assert stored(path) == ["first", "a", "c"]


async def test_a_late_answer_is_in_doubt_and_the_job_is_committed_all_the_same(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    names.gate.clear()

    with pytest.raises(BusyError, match="in time"):
        await commits.submit("a", timeout_s=0.01)

    names.gate.set()
    assert await commits.submit("b", timeout_s=5) == 1
    assert stored(path) == ["a", "b"]


async def test_deadlines_are_kept_whatever_their_order(
    commits: GroupCommit[str, int], names: Names
) -> None:
    names.gate.clear()
    patient = submit_all(commits, ["a"], timeout_s=60)
    hasty = submit_all(commits, ["b"], timeout_s=0.01) + submit_all(commits, ["c"], timeout_s=0.02)

    done, _ = await asyncio.wait(hasty)

    assert [type(task.exception()) for task in done] == [BusyError, BusyError]
    assert not patient[0].done()


async def test_a_full_queue_makes_room_for_who_waits_and_refuses_who_waits_too_long(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    tasks = await behind_a_slow_batch(commits, names, list("abcdefg"))
    patient = submit_all(commits, ["patient"])

    with pytest.raises(BusyError, match="8 jobs already wait"):
        await commits.submit("hasty", timeout_s=0.01)

    names.gate.set()
    await asyncio.gather(*tasks, *patient)
    assert stored(path) == ["first", *"abcdefg", "patient"]


async def test_a_cancelled_caller_leaves_its_job_and_the_others_alone(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    tasks = await behind_a_slow_batch(commits, names, ["a", "b"])

    tasks[1].cancel()
    names.gate.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, asyncio.CancelledError, int]
    assert stored(path) == ["first", "a", "b"]


async def test_closing_answers_what_waits_and_refuses_what_comes(
    commits: GroupCommit[str, int], names: Names, path: Path
) -> None:
    tasks = await behind_a_slow_batch(commits, names, list("abcdefg"))
    outside = submit_all(commits, ["outside"])
    await asyncio.wait(outside, timeout=0)
    closing_ = asyncio.create_task(commits.close())
    await asyncio.wait(outside)

    names.gate.set()

    await closing_
    assert await asyncio.gather(*tasks) == [1] + [7] * 7
    assert isinstance(outside[0].exception(), BusyError)
    with pytest.raises(BusyError, match="closed"):
        await commits.submit("later", timeout_s=5)
    assert stored(path) == ["first", *"abcdefg"]


async def test_a_large_backlog_is_cut_into_batches(path: Path, names: Names) -> None:
    connection = durable_sqlite.connect_writer(path)
    connection.execute("CREATE TABLE name (name TEXT UNIQUE)")
    commits = GroupCommit(connection, names, name="names", unavailable=BusyError, max_batch=4)

    tasks = await behind_a_slow_batch(commits, names, list("abcdefghij"))
    names.gate.set()
    await asyncio.gather(*tasks)
    await commits.close()

    assert [len(batch) for batch in names.batches] == [1, 4, 4, 2]


async def test_the_event_loop_is_woken_once_for_a_batch(
    commits: GroupCommit[str, int], names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    calls: list[object] = []
    wake: Callable[..., object] = loop.call_soon_threadsafe

    def counted(callback: Callable[..., object], *arguments: object) -> object:
        calls.append(callback)
        return wake(callback, *arguments)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)

    tasks = await behind_a_slow_batch(commits, names, list("abcdefg"))
    names.gate.set()
    await asyncio.gather(*tasks)

    assert len(calls) == 2

"""Who is cancelled in the same turn of the loop as his answer comes is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pointsman.runtime.cancellation import heeded_cancellation

Wait = Callable[["asyncio.Future[str]"], Awaitable[str]]


async def waits(answer: "asyncio.Future[str]") -> str:
    with heeded_cancellation():
        return await asyncio.wait_for(answer, 20)


async def cancelled_as_it_ends(wait: Wait, end: Callable[["asyncio.Future[str]"], None]) -> bool:
    """Whether a task that waits was cancelled; the answer is there a moment earlier."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        return await wait(answer)

    task = asyncio.create_task(work())
    # Behind the callback by which `wait_for` hears of it.
    asyncio.get_running_loop().call_soon(
        lambda: answer.add_done_callback(lambda _: task.cancel()),
    )
    asyncio.get_running_loop().call_soon(end, answer)
    await asyncio.wait([task])
    return task.cancelled()


async def test_it_is_cancelled_though_its_answer_came() -> None:
    assert await cancelled_as_it_ends(waits, lambda answer: answer.set_result("here"))


async def test_it_is_cancelled_though_an_error_came() -> None:
    def fail(answer: "asyncio.Future[str]") -> None:
        answer.set_exception(LookupError())

    assert await cancelled_as_it_ends(waits, fail)


async def test_a_time_limit_that_ends_with_the_answer_is_a_time_limit() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        async with asyncio.timeout(None) as limit:
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: answer.add_done_callback(lambda _: limit.reschedule(0)))
            loop.call_soon(answer.set_result, "here")
            return await waits(answer)

    assert await asyncio.create_task(work()) == "here"


async def test_work_of_a_task_that_was_cancelled_before_is_let_end() -> None:
    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with heeded_cancellation():
                await asyncio.wait([tidied])
            return "tidied up"
        return ""

    async def tidy() -> None:
        task.cancel()

    task = asyncio.create_task(work())
    tidied = asyncio.create_task(tidy())

    assert await task == "tidied up"


async def test_errors_go_through_where_nobody_is_cancelled() -> None:
    with pytest.raises(LookupError), heeded_cancellation():
        raise LookupError

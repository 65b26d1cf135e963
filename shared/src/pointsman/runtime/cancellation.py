"""Cancellations that libraries lose."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def heeded_cancellation() -> Generator[None]:
    """Whoever was cancelled inside is cancelled behind it at the latest.

    Until Python 3.12 `asyncio.wait_for` forgets a cancellation that comes in the same turn of the
    loop as what it waits for (https://github.com/python/cpython/issues/86296): a loop around it
    then goes on for ever.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError

"""Cancellations that a library has lost."""

import asyncio


def raise_if_cancelled() -> None:
    """Raise `CancelledError` if the current task was asked to end and still runs.

    Until Python 3.12 `asyncio.wait_for` drops a cancellation that arrives together with its
    result, and every request of nats-py goes through it: a loop of requests must ask itself.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

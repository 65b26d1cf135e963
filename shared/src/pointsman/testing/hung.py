"""A process that hangs: it keeps its connections and its locks, and does nothing."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress


@contextmanager
def hung(pid: int) -> Generator[None]:
    """Stop a process for the length of the block; it goes on behind it as if no time had passed.

    Raises:
        ProcessLookupError: there is no such process at the start; one that ends meanwhile is fine.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

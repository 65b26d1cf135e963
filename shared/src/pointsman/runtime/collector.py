"""Python's garbage collector while much is built that stays."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Generator[None]:
    """Collect nothing meanwhile, and pass over for ever what stands at the end.

    The collector looks at every object again and again while memory grows: that is half of the
    time in which 100 000 tasks are restored, and pauses of 0.3 s for as long as they stand.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

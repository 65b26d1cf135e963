"""When a class is late, and when a task is too late."""


def due_to_begin(key: float, load_s: float) -> float:
    """When a device must begin for a head with this virtual deadline to start in time.

    From then on its class is late; where its model is resident the load is 0.
    """
    return key - load_s


def is_too_late(deadline: float, *, now: float, load_s: float, run_s: float) -> bool:
    """Whether a task cannot meet its deadline any more.

    `run_s` is the median of its class, or the p99 where the deadline is strict.
    """
    return now + load_s + run_s > deadline

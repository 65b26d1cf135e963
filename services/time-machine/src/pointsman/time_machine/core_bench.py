"""How fast the policy is: enqueue and decide with many tasks queued, in this process, now.

Real are the structures, the decisions and the clock that times them. Made up are the tasks, and
the devices, which run nothing: time as the policy sees it moves on by a fixed step.
"""

import gc
import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from itertools import accumulate
from typing import Final, NamedTuple, TypedDict

from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.queued_task import QueuedTask
from pointsman.time_machine.workload import zipf_weights

STEPS: Final = 100_000
DEVICES: Final = 4
MODELS: Final = 87
TENANTS: Final = 50
REKEYED: Final = 0.1
CANCELLED: Final = 0.1

_RUN_S: Final = 1.0
_LOAD_S: Final = 5.0
_WINDOW_S: Final = 30.0
_RESORT_FOR_S: Final = 3.0
_SEED: Final = 1


class CoreFigures(TypedDict):
    """A step takes one task in and starts one; a tenth also re-key one, a tenth cancel one."""

    steps_per_s: float
    p99_us: float
    max_pause_ms: float
    """The longest single step, the garbage collector included."""
    heapq_steps_per_s: float
    """The same mix on one heap without classes, tenants and devices."""
    naive_resort_steps_per_s: float
    """All tasks sorted by their priority at that moment for each start."""


class _Plan(NamedTuple):
    """What happens in one step, drawn before the clock runs."""

    arriving: QueuedTask
    rekeyed: int | None
    """Number of a task that may still wait."""
    cancelled: int | None
    replacing: QueuedTask | None
    """Arrives for the one that is cancelled, so that as many wait as before."""


def bench_core(queued: int, steps: int = STEPS) -> CoreFigures:
    """Measure with so many tasks queued all the time."""
    draws = random.Random(_SEED)
    first = [_task(draws, number, 0.0) for number in range(queued)]
    plans = list(_plans(draws, queued, steps))
    times = _timed_steps(first, plans)
    return {
        "steps_per_s": round(steps / sum(times), 1),
        "p99_us": round(sorted(times)[int(0.99 * steps)] * 1e6, 1),
        "max_pause_ms": round(max(times) * 1e3, 3),
        "heapq_steps_per_s": round(_heap_rate(first, plans), 1),
        "naive_resort_steps_per_s": round(_resort_rate(first, plans), 1),
    }


def _task(draws: random.Random, number: int, now: float) -> QueuedTask:
    (rank,) = draws.choices(range(MODELS), cum_weights=_CUMULATED)
    return QueuedTask(
        number=number,
        class_id=_model(rank),
        tenant=f"tenant-{draws.randrange(TENANTS):02}",
        key=now + draws.uniform(1.0, _WINDOW_S),
        arrival=now,
    )


def _model(rank: int) -> str:
    return f"model-{rank + 1:02}"


def _plans(draws: random.Random, queued: int, steps: int) -> Iterator[_Plan]:
    number = queued
    for step in range(steps):
        now = (step + 1) * _RUN_S / DEVICES
        rekeyed = draws.randrange(number) if draws.random() < REKEYED else None
        arriving = _task(draws, number, now)
        number += 1
        if draws.random() < CANCELLED:
            yield _Plan(arriving, rekeyed, draws.randrange(number), _task(draws, number, now))
            number += 1
        else:
            yield _Plan(arriving, rekeyed, None, None)


def _timed_steps(first: list[QueuedTask], plans: list[_Plan]) -> list[float]:
    pool = DedicatedPool()
    for rank in range(MODELS):
        pool.register(_model(rank), load_s=_LOAD_S, p50_s=_RUN_S, p99_s=2 * _RUN_S)
    for task in first:
        pool.enqueue(task, 0.0)
    for device in range(DEVICES):
        pool.attach(str(device))
    running: deque[tuple[str, int]] = deque()
    _run(pool, running, 0.0)
    times: list[float] = []
    with _frozen():
        for step, plan in enumerate(plans):
            began = time.perf_counter()
            _step(pool, running, plan, (step + 1) * _RUN_S / DEVICES)
            times.append(time.perf_counter() - began)
    return times


def _step(pool: DedicatedPool, running: deque[tuple[str, int]], plan: _Plan, now: float) -> None:
    pool.enqueue(plan.arriving, now)
    if plan.replacing is not None:
        pool.enqueue(plan.replacing, now)
    if plan.rekeyed is not None and (moved := pool.task(plan.rekeyed)) is not None:
        pool.rekey(_sooner(moved), now)
    if plan.cancelled is not None:
        pool.cancel(plan.cancelled, now)
    device, ended = running.popleft()
    pool.ended(device, ended, _RUN_S, now)
    _run(pool, running, now)


def _run(pool: DedicatedPool, running: deque[tuple[str, int]], now: float) -> None:
    """Decide until every device runs something; a load is over at once."""
    loads = True
    while loads:
        assigned = pool.assign(now)
        loads = bool(assigned.loads)
        for load in assigned.loads:
            pool.loaded(load.devices[0], _LOAD_S, now)
        for start in assigned.starts:
            running.append((start.device, start.task.number))


def _sooner(task: QueuedTask) -> QueuedTask:
    return QueuedTask(
        number=task.number,
        class_id=task.class_id,
        tenant=task.tenant,
        key=task.key - _WINDOW_S,
        arrival=task.arrival,
    )


def _heap_rate(first: list[QueuedTask], plans: list[_Plan]) -> float:
    heap = [(task.key, task.number) for task in first]
    heapify(heap)
    live = {number: key for key, number in heap}

    def push(key: float, number: int) -> None:
        live[number] = key
        heappush(heap, (key, number))

    def step(plan: _Plan) -> None:
        push(plan.arriving.key, plan.arriving.number)
        if plan.replacing is not None:
            push(plan.replacing.key, plan.replacing.number)
        if plan.rekeyed in live:
            push(live[plan.rekeyed] - _WINDOW_S, plan.rekeyed)
        if plan.cancelled is not None:
            live.pop(plan.cancelled, None)
        while heap:
            key, number = heappop(heap)
            if live.get(number) == key:
                del live[number]
                return

    return _rate(step, plans, for_s=None)


def _resort_rate(first: list[QueuedTask], plans: list[_Plan]) -> float:
    tasks = list(first)
    now = 0.0

    def step(plan: _Plan) -> None:
        nonlocal now
        now += _RUN_S / DEVICES
        tasks.append(plan.arriving)
        tasks.sort(key=lambda task: now - task.key)
        tasks.pop()

    return _rate(step, plans, for_s=_RESORT_FOR_S)


def _rate(step: Callable[[_Plan], None], plans: list[_Plan], *, for_s: float | None) -> float:
    """Steps per second over all plans, or over as many as `for_s` allows."""
    done = 0
    with _frozen():
        began = time.perf_counter()
        for plan in plans:
            step(plan)
            done += 1
            if for_s is not None and time.perf_counter() - began > for_s:
                break
        return done / (time.perf_counter() - began)


@contextmanager
def _frozen() -> Generator[None]:
    """As in the scheduler after its start: what stands is passed over by the collector."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


_CUMULATED: Final = list(accumulate(zipf_weights(MODELS, 5, 0.7)))

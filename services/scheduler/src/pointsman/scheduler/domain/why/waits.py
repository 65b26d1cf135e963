"""What an open task waits for now, in words."""

from datetime import UTC, datetime
from math import inf

from pointsman.contracts.parts import PartsWork
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.parts.results import PartResults
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask
from pointsman.scheduler.domain.why.devices import waits_for_device
from pointsman.scheduler.domain.why.limits import kept_back_by
from pointsman.scheduler.domain.why.parts_left import parts_left
from pointsman.scheduler.domain.why.words import moment


def waits_for(pool: Pool, task: OpenTask, *, at: float = inf) -> str:
    """The end of a sentence that begins with `It waits for`.

    `at` is now; who does not say it is told nothing of what ends with time.
    """
    if task.lease is not None:
        return _for_its_attempt(task, task.lease)
    released = _for_its_release(pool, task)
    own = released or _for_others(task) or _for_its_time(pool, task)
    return own or _for_the_pool(pool, Gates(pool, inf), task, at)


def _for_its_attempt(task: OpenTask, lease: LiveLease) -> str:
    if lease.work is not None:
        return _for_work(lease)
    return " or ".join(
        f"the result of attempt {lease.attempt} on {lease.device}" for lease in task.leases
    )


def _for_the_pool(pool: Pool, gates: Gates, task: OpenTask, at: float) -> str:
    """What others keep it from, or have to do first."""
    if task.parts is not None and not task.parts.complete:
        return _for_parts(pool, gates, task, task.parts)
    if (paused := gates.pool_refused()) is not None:
        return f"the end of a pause: {paused}"
    if task.id in pool.waiting.desk:
        return "an executor to merge its results" if task.parts else "an executor to cut its input"
    kept_back = kept_back_by(pool, gates, task)
    return waits_for_device(pool, gates, task, at) if not kept_back else f"its turn: {kept_back}"


def _for_work(lease: LiveLease) -> str:
    what = "its input to be cut" if lease.work is PartsWork.SPLIT else "its results to be merged"
    return f"{what} by {lease.executor} (attempt {lease.attempt})"


def _for_its_release(pool: Pool, task: OpenTask) -> str | None:
    if task.held:
        return f"its release: it is held by {task.held}"
    whole = pool.parts.whole_of(task)
    if whole is not None and whole.held:
        return f"the release of task {whole.id}, of which it is a part: it is held by {whole.held}"
    return None


def _for_others(task: OpenTask) -> str | None:
    if task.unmet:
        return f"its end: it depends on {task.unmet}"
    if not task.awaits:
        return None
    first, *others = sorted(task.awaits)
    return f"task {first}" + (f" and {len(others)} more" if others else "") + " to complete"


def _for_its_time(pool: Pool, task: OpenTask) -> str | None:
    """The moment before which it stands in no line; None: it stands in one, or needs none."""
    if task.state is not TaskState.QUEUED or not task.retry_at or task in pool.waiting:
        return None
    if task.retry_at == task.accepted.not_before:
        return f"its time, {moment(task.retry_at)} UTC"
    soon = datetime.fromtimestamp(task.retry_at, tz=UTC)
    if task.needs_preparation and task.prepared is None and not task.attempts:
        return f"its context, until {soon:%H:%M:%S} UTC at the latest"
    return f"the end of its retry delay, {soon:%H:%M:%S} UTC"


def _for_parts(pool: Pool, gates: Gates, task: OpenTask, parts: PartResults) -> str:
    kept_back = gates.pool_refused() or kept_back_by(pool, gates, task)
    so = "" if kept_back is None else f"; those that do not run are kept back: {kept_back}"
    return parts_left(pool, task, parts) + so

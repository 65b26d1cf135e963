"""Tasks of one class that wait for a device which takes several in a call."""

from uuid import UUID

from pointsman.contracts.events import TaskGranted
from pointsman.contracts.leases import Outcome
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.devices import Device
from tests.support.scheduling import NOON, History, accepted, attached, given, model, report

FAST = model("fast", service_s=0.001)


def task(number: int) -> UUID:
    return UUID(int=number)


def waiting(count: int, *, slots: int = 1, max_batch: int = 4) -> History:
    """So many tasks wait for a device with few slots."""
    tasks = ((task(n), accepted(key=NOON + n)) for n in range(1, count + 1))
    return given(FAST, attached(slots=slots, max_batch=max_batch), *tasks)


def sizes(grants: dict[UUID, TaskGranted]) -> dict[UUID, int]:
    return {name: grant.batch.size if grant.batch else 1 for name, grant in grants.items()}


def device(history: History) -> Device:
    return history.pool.devices["cpu-0"]


def tell(
    history: History, number: int, outcome: Outcome, *, at: float = NOON + 2, attempt: int = 1
) -> None:
    told = report(task(number), attempt, outcome)
    decided = decide_report(history.pool, told, at=at, draw=0.5)
    if decided is not None:
        assert history.record(decided)

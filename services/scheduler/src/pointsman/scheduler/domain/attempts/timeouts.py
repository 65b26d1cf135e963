"""How long an attempt may run."""

from pointsman.policy.timing import run_timeout_s
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask


def timeout_s(
    pool: Pool, task: OpenTask, device: str, variant: str, *, at: float, size: int = 1
) -> float:
    """As an attempt that is granted now is given it, in a call of `size` tasks."""
    models = pool.models
    return run_timeout_s(
        models.run_times_of(variant),
        pool.devices[device].offer.device_class,
        now=at,
        deadline=task.accepted.deadline,
        band=task.accepted.band,
        timed_out=task.timed_out,
        added_s=(size - 1) * models.added_times_of(variant).p99_s,
    )

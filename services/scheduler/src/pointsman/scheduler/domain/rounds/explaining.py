"""Why an attempt has the slot that it has, as its grant tells it."""

from collections.abc import Sequence
from typing import Final

from pointsman.contracts.events import Explanation
from pointsman.contracts.levels import Level
from pointsman.policy.order import components
from pointsman.policy.placement import Choice
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.variants import VariantOrder
from pointsman.scheduler.domain.tasks import OpenTask

_PASSED: Final = 3


def explain(
    pool: Pool,
    task: OpenTask,
    choice: Choice,
    order: VariantOrder,
    *,
    at: float,
    queued: int,
    passed: Sequence[OpenTask] = (),
) -> Explanation:
    """`queued` tasks go on waiting; `passed` are due before this one and could not start."""
    level = pool.influences.level
    return Explanation(
        queued=queued,
        rank=1 + len(passed),
        components=components(
            task.priority_class,
            # A part has the place of its whole, which came before it.
            arrival=(pool.parts.whole_of(task) or task).arrival,
            boost_s=task.boost_s,
            key=task.key,
            now=at,
            windows=pool.policy.windows,
            max_boost_s=pool.policy.parameters.max_boost_s,
        ),
        chosen=choice.chosen,
        others=choice.others,
        more=choice.more,
        more_digest=choice.more_digest,
        passed=tuple(str(earlier.id) for earlier in passed[:_PASSED]),
        config=pool.policy.config,
        level="" if level is Level.NORMAL else level,
        causes=tuple(order.causes),
    )

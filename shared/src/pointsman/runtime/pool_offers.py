"""Offering a task to the pool that was chosen for it, and to another if that one does not take it.

Every pool of a group appends to one log, which knows a command by its identity whichever pool
brings it: a task that was offered twice is accepted once.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from pointsman.contracts.commands import Accepted, Answer, Duplicate, Rejected
from pointsman.contracts.pool_choice import PoolChoice
from pointsman.contracts.refusals import (
    DEPENDENCY_ELSEWHERE,
    NOT_LOADABLE,
    QUEUE_FULL,
    SHED,
    TENANT_QUEUE_FULL,
)

PATIENCE_S: Final = 2.0
"""How long a pool is asked while there is another one; a leader that was killed is back later."""

MAY_FIT_ELSEWHERE: Final = frozenset(
    {SHED, QUEUE_FULL, TENANT_QUEUE_FULL, DEPENDENCY_ELSEWHERE, NOT_LOADABLE}
)
"""Codes of refusals that are about one pool, not about the task."""

Offer = Callable[[PoolChoice], Awaitable[Answer | None]]
"""Sends the task to `PoolChoice.chosen`; None: no answer, it may have taken it."""


async def offer_to_pools(choice: PoolChoice, pools: Sequence[str], offer: Offer) -> Answer | None:
    """The answer of the pool that took it, else of the one that was chosen.

    `pools` are those of the group, one of which may have what the task depends on, or a device for
    it. None if one that was asked may have taken it without saying so: ask again with the same
    command id.
    """
    first = await offer(choice)
    reason = _why_not(first)
    if reason is None:
        return first
    in_doubt = first is None
    for pool in _others(choice, pools, first):
        again = msgspec.structs.replace(
            choice, chosen=pool, instead_of=choice.chosen, reason=reason
        )
        answer = await offer(again)
        if isinstance(answer, Accepted | Duplicate):
            return answer
        in_doubt = in_doubt or answer is None
    return None if in_doubt else first


def _why_not(answer: Answer | None) -> str | None:
    """Why another pool is to be asked, None if that makes no difference."""
    if answer is None:
        return "it did not answer in time"
    if isinstance(answer, Rejected) and answer.code in MAY_FIT_ELSEWHERE:
        return answer.message
    return None


def _others(choice: PoolChoice, pools: Sequence[str], first: Answer | None) -> list[str]:
    """The other candidate; pools that were not drawn only where a certain one is meant."""
    drawn = [each.pool for each in choice.candidates if each.pool != choice.chosen]
    left = [pool for pool in pools if pool != choice.chosen and pool not in drawn]
    certain = isinstance(first, Rejected) and first.code in {DEPENDENCY_ELSEWHERE, NOT_LOADABLE}
    return [*drawn, *left] if certain else drawn

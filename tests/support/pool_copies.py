"""Pools in values that can be compared, and pools made from the bytes of others."""

from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.facts import PoolFacts, facts_of, restore
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy, decode_facts, decode_tasks


def facts(pool: Pool) -> tuple[PoolFacts, object, object]:
    """Everything that a pool knows, in values that can be compared."""
    parts, desk = pool.parts, list(pool.waiting.desk)
    known = (parts.leased.keys(), +parts.desks, parts.split, parts.missing, parts.orphans.keys())
    return facts_of(pool), pool.tasks, (known, desk, pool.queued)


def copied(pool: Pool) -> Pool:
    """A pool from the bytes of its snapshot."""
    copy, slices = PoolCopy(pool), list[bytes]()
    while (body := copy.next(3)) is not None:
        slices.append(body)
    copy.end()
    again = Pool(pool.name)
    tasks = [task for body in slices for task in decode_tasks(body, again.words)]
    restore(again, decode_facts(copy.facts), tasks)
    return again

"""Leaders of pools, for tests that need one and are not about elections."""

from pointsman.eventstore.ports import Append, Appended, EventStore, Leadership, TakeOver


async def elected(store: EventStore, pool: str, holder: str) -> Leadership:
    """`holder` leads the pool, whoever did before; its lead can be taken over at once."""
    before = await store.leader(pool)
    epoch = 1 if before is None else before.epoch + 1
    answer = await store.append(Append([], take_over=TakeOver(pool, holder, epoch, ttl_s=0)))
    assert answer == Appended(())
    return Leadership(pool, epoch)

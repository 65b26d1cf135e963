"""Elections among processes that share a PostgreSQL log, in the time of the database."""

import asyncio
from uuid import uuid4

from pointsman.eventstore.ports import (
    Append,
    Appended,
    Fenced,
    Held,
    Leadership,
    TakeOver,
)
from pointsman.eventstore.postgres import PostgresEventStore
from tests.support.electing import elected
from tests.support.log_events import an_event


async def test_a_lead_keeps_others_out_until_it_has_run_out(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    mine = Append([], take_over=TakeOver("pool", "a", epoch=1, ttl_s=60))
    theirs = Append([], take_over=TakeOver("pool", "b", epoch=2, ttl_s=60))
    await store.append(mine)

    held = await another.append(theirs)
    assert await store.renew(Leadership("pool", 1), ttl_s=0)
    taken = await another.append(theirs)

    assert isinstance(held, Held)
    assert held.holder == "a"
    assert 50 < held.expires_in_s <= 60
    assert taken == Appended(())
    assert not await store.renew(Leadership("pool", 1), ttl_s=60)
    fenced = Append([an_event(uuid4(), 1)], leadership=Leadership("pool", 1))
    assert await store.append(fenced) == Fenced(2)


async def test_a_holder_may_take_over_from_itself(store: PostgresEventStore) -> None:
    await store.append(Append([], take_over=TakeOver("pool", "a", epoch=1, ttl_s=60)))

    answer = await store.append(Append([], take_over=TakeOver("pool", "a", epoch=2, ttl_s=60)))

    assert answer == Appended(())


async def test_of_many_candidates_in_two_processes_one_is_elected(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    answers = await asyncio.gather(
        *(
            each.append(
                Append([an_event(uuid4(), 1)], take_over=TakeOver("pool", str(n), 1, ttl_s=60))
            )
            for n, each in enumerate([store, another] * 8)
        )
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Appended", *["Fenced"] * 15]
    assert await store.head() == 1


async def test_an_overtaken_leader_is_fenced_by_what_another_process_did(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    first = await elected(store, "pool", "a")
    await store.append(Append([an_event(uuid4(), 1)], leadership=first))

    await elected(another, "pool", "b")

    late = Append([an_event(uuid4(), 1)], leadership=first)
    assert await store.append(late) == Fenced(2)

"""The index says of holders what a look at each of them says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.policy.assigned import Assigned
from pointsman.policy.holder_wait import holder_wait
from tests.policy.dedicated_world import SLOTS, WORK, Asked, World


@given(devices=st.integers(1, 6), slots=SLOTS, work=WORK)
@settings(max_examples=80, deadline=None)
def test_the_index_gives_what_the_holders_give(devices: int, slots: int, work: list[Asked]) -> None:
    def check(world: World, now: float, assigned: Assigned) -> None:
        for queue in world.pool.classes:
            if queue:
                told = world.pool.holders.wait(queue, now)
                seen = holder_wait(queue, world.pool.classes.holders(queue.class_id), now)
                assert told.provided == seen.provided
                assert told.expected_s == pytest.approx(seen.expected_s)

    World(devices, slots, {"b": 2}, watch=check).run(work)

"""A task that waits for a time or for others is no stall: its sender wants it so."""

import msgspec
import pytest

from pointsman.contracts.events import TaskAccepted
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.testing.clock import FakeClock
from tests.support.scheduling import A, B
from tests.support.task_events import NOON, accepted, as_recorded, stream_of

LATER = NOON + 3_600


@pytest.mark.parametrize(
    ("sleeps", "stalls"),
    [({}, True), ({"not_before": LATER}, False), ({"depends_on": (str(B),)}, False)],
    ids=["a task that could run", "one that waits for its time", "one that waits for another"],
)
def test_only_a_task_that_could_run_lets_the_pool_stall(
    sleeps: dict[str, object], stalls: bool
) -> None:
    asked = accepted()
    assert isinstance(asked, TaskAccepted)
    window = FeedWindow(FakeClock())

    window.take(as_recorded(stream_of(A, [msgspec.structs.replace(asked, **sleeps)])))

    (pool,) = window.pools.values()
    assert (pool.stall_s(NOON + 100) > 0) is stalls

"""What a task that runs in parts asks of the devices: its parts."""

import msgspec

from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.parts import Merge, SplitPlan
from pointsman.contracts.streams import part_id
from pointsman.resource_monitor.domain.demand import AcceptedCounts
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.testing.clock import FakeClock
from tests.support.scheduling import A
from tests.support.task_events import NOON, accepted, as_recorded, stream_of


def test_a_whole_is_no_demand_and_its_parts_are() -> None:
    asked = accepted()
    assert isinstance(asked, TaskAccepted)
    plan = SplitPlan(max_bytes=100, merge=Merge.JOIN)
    whole = stream_of(A, [msgspec.structs.replace(asked, split=plan)])
    parts = [each for n in (1, 2, 3) for each in stream_of(part_id(A, n), [asked])]
    window, counts = FeedWindow(FakeClock()), AcceptedCounts(NOON - 60)
    window.accepted = counts

    window.take(as_recorded([*whole, *parts]))
    while not counts.open_counts:
        counts.close()

    assert dict(counts.open_counts) == {"summarize": 3}

"""Tasks without a family on their way in, and what would become of a task."""

from pathlib import Path

import msgspec
import pytest

from pointsman.contracts.commands import Accepted, Duplicate, Rejected
from pointsman.contracts.events import RoutingChanged, TaskAccepted
from pointsman.contracts.routing import AUTO
from pointsman.policy.prototypes import Prototypes
from pointsman.scheduler.adapters.routing_file import RoutingFileError, RoutingOnDisk
from pointsman.scheduler.leading.content import ContentReader
from pointsman.scheduler.leading.preview import Preview
from pointsman.scheduler.leading.registering import register_routing
from tests.support.leading import Scheduler, World, scheduler
from tests.support.routing import FILE, TEXT
from tests.support.scheduling import submission

CONTENT = ContentReader(Prototypes(FILE.prototypes))
REPORT = submission(family=AUTO, payload=b"Please summarise the report on the river.")


@pytest.fixture
async def here(tmp_path: Path) -> Scheduler:
    """A scheduler with a routing file."""
    scheduler_here = await scheduler(World(content=CONTENT))
    path = tmp_path / "routing.toml"
    path.write_text(TEXT)
    pool, log, clock = scheduler_here.pool, scheduler_here.log, scheduler_here.clock
    await register_routing(pool, log, RoutingOnDisk(path), clock)
    return scheduler_here


async def test_a_task_without_a_family_is_accepted_with_the_one_that_was_found(
    here: Scheduler,
) -> None:
    answer = await here.submissions.submit(REPORT, door="command")

    assert isinstance(answer, Accepted)
    event = (await here.history())[-1]
    assert isinstance(event, TaskAccepted)
    assert event.family == "summarize"
    assert event.route is not None
    assert event.route.chosen.domain == "reports"


async def test_the_words_of_a_task_are_not_in_the_log(here: Scheduler) -> None:
    await here.submissions.submit(REPORT, door="command")

    stored = b"".join(bytes(item.data) for item in await here.store.read(0))
    assert b"river" not in stored


async def test_a_repetition_is_known_whatever_would_be_found_now(here: Scheduler) -> None:
    first = await here.submissions.submit(REPORT, door="command")
    await register_routing(here.pool, here.log, RoutingOnDisk(None), here.clock)

    again = await here.submissions.submit(REPORT, door="command")
    new = await here.submissions.submit(
        msgspec.structs.replace(REPORT, command_id="order-2"), door="command"
    )

    assert isinstance(first, Accepted)
    assert again == Duplicate(task=first.task, position=first.position)
    assert isinstance(new, Rejected)
    assert new.code == "no_domains"


async def test_an_unclear_task_leaves_no_trace(here: Scheduler) -> None:
    unclear = msgspec.structs.replace(REPORT, payload=b"12345")

    answer = await here.submissions.submit(unclear, door="command")

    assert isinstance(answer, Rejected)
    assert answer.code == "family_unclear"
    assert here.pool.tasks == {}


async def test_a_preview_is_what_a_submission_would_record(here: Scheduler) -> None:
    preview = Preview(here.pool, CONTENT, here.clock).of(REPORT)
    before = here.pool.applied_to

    await here.submissions.submit(REPORT, door="command")

    event = (await here.history())[-1]
    assert isinstance(preview, TaskAccepted)
    assert isinstance(event, TaskAccepted)
    assert before + 1 == here.pool.applied_to
    assert (preview.route, preview.judged, preview.key) == (event.route, event.judged, event.key)


async def test_a_preview_of_what_would_be_refused_says_why(here: Scheduler) -> None:
    answer = Preview(here.pool, CONTENT, here.clock).of(
        msgspec.structs.replace(REPORT, family="translate")
    )

    assert isinstance(answer, Rejected)
    assert answer.code == "unknown_family"


async def test_the_routing_file_is_recorded_once(here: Scheduler, tmp_path: Path) -> None:
    path = tmp_path / "routing.toml"
    path.write_text(TEXT)

    await register_routing(here.pool, here.log, RoutingOnDisk(path), here.clock)

    recorded = [event for event in await here.history() if isinstance(event, RoutingChanged)]
    assert len(recorded) == 1


def test_without_a_routing_file_there_is_nothing_to_compare_with() -> None:
    rules = RoutingOnDisk(None)

    assert rules.prototypes is None
    assert ContentReader(rules.prototypes).see(REPORT) is None


@pytest.mark.parametrize(
    ("content", "named"), [(None, "cannot be read"), (b"\xff", "not UTF-8"), (b"[[", "not TOML")]
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, named: str
) -> None:
    path = tmp_path / "routing.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RoutingFileError, match=named) as caught:
        RoutingOnDisk(path)

    assert caught.value.path == path
    assert caught.value.code == "routing_invalid"

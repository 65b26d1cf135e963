"""Submissions: accepted once, whatever happens on the way."""

import asyncio
from uuid import uuid4

import msgspec
import pytest

from pointsman.contracts.commands import Accepted, Duplicate, Rejected, SubmitTask, Unavailable
from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.levels import Level
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobsUnavailableError
from pointsman.testing.memory_blobs import MemoryBlobs
from tests.support.influences import level_changed
from tests.support.leading import Scheduler, World, scheduler
from tests.support.scheduling import PAYLOAD, attach, offer, submission
from tests.support.task_events import record, stream_of


class FullBlobs(MemoryBlobs):
    """A blob store whose disk is full."""

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        raise BlobsUnavailableError("no space left")


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World())


async def accepted_events(here: Scheduler) -> list[TaskAccepted]:
    return [event for event in await here.history() if isinstance(event, TaskAccepted)]


async def test_an_accepted_task_is_in_the_log_and_its_payload_in_the_store(
    here: Scheduler,
) -> None:
    answer = await here.submissions.submit(submission(payload=b"a text"), door="command")

    assert isinstance(answer, Accepted)
    (event,) = await accepted_events(here)
    assert answer.position == here.pool.applied_to
    assert list(here.pool.tasks) == [answer.task]
    assert await here.blobs.get("acme", event.payload) == b"a text"


async def test_a_repeated_command_gets_the_task_of_the_first(here: Scheduler) -> None:
    first = await here.submissions.submit(submission(), door="command")

    for _ in range(3):
        again = await here.submissions.submit(submission(), door="command")

        assert isinstance(first, Accepted)
        assert again == Duplicate(task=first.task, position=first.position)
    assert len(await accepted_events(here)) == 1


async def test_repetitions_at_the_same_time_make_one_task(here: Scheduler) -> None:
    answers = await asyncio.gather(
        *(here.submissions.submit(submission(), door="command") for _ in range(10))
    )

    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["Accepted"] + ["Duplicate"] * 9
    assert len({answer.task for answer in answers if isinstance(answer, Accepted | Duplicate)}) == 1


@pytest.mark.parametrize(
    "change", [{"payload": b"other text"}, {"family": "summarize", "max_attempts": 1}]
)
async def test_another_request_under_a_known_id_is_refused(
    here: Scheduler, change: dict[str, object]
) -> None:
    await here.submissions.submit(submission(), door="command")

    answer = await here.submissions.submit(
        msgspec.structs.replace(submission(), **change), door="command"
    )

    assert isinstance(answer, Rejected)
    assert answer.code == "id_reused"
    assert len(await accepted_events(here)) == 1


async def test_a_repetition_is_known_by_what_the_door_says_identifies_it(here: Scheduler) -> None:
    early, late = (submission(deadline=here.clock.now + after) for after in (60, 61))

    first = await here.submissions.submit(early, door="scheduler", request=b"in one minute")
    again = await here.submissions.submit(late, door="scheduler", request=b"in one minute")

    assert isinstance(first, Accepted)
    assert isinstance(again, Duplicate)
    assert again.task == first.task


async def test_tracing_does_not_make_a_repetition_another_request(here: Scheduler) -> None:
    first, again = [
        await here.submissions.submit(
            msgspec.structs.replace(submission(), traceparent=f"00-{n}-1-01"), door="command"
        )
        for n in (1, 2)
    ]

    assert isinstance(first, Accepted)
    assert isinstance(again, Duplicate)


@pytest.mark.parametrize(("change", "door"), [({"tenant": "globex"}, "command"), ({}, "scheduler")])
async def test_ids_are_known_per_tenant_and_door(
    here: Scheduler, change: dict[str, object], door: str
) -> None:
    await here.submissions.submit(submission(), door="command")

    other = msgspec.structs.replace(submission(), **change)
    answer = await here.submissions.submit(other, door=door)

    assert isinstance(answer, Accepted)
    assert len(await accepted_events(here)) == 2


@pytest.mark.parametrize(
    ("task", "code"),
    [
        (submission(payload=None), "payload_missing"),
        (msgspec.structs.replace(submission(), payload_ref=PAYLOAD), "payload_missing"),
        (submission(payload=b"a" * (512 * 1024 + 1)), "payload_too_large"),
        (submission(family="translate"), "unknown_family"),
    ],
    ids=["none", "both", "large", "family"],
)
async def test_a_refused_task_leaves_no_trace(here: Scheduler, task: SubmitTask, code: str) -> None:
    answer = await here.submissions.submit(task, door="command")

    assert isinstance(answer, Rejected)
    assert (answer.code, bool(answer.next)) == (code, True)
    assert await accepted_events(here) == []
    corrected = await here.submissions.submit(submission(), door="command")
    assert isinstance(corrected, Accepted)


async def test_what_was_accepted_before_the_pool_refused_its_class_stays_accepted(
    here: Scheduler,
) -> None:
    low = submission(priority_class=PriorityClass.BACKGROUND)
    first = await here.submissions.submit(low, door="scheduler")
    await record(here.store, stream_of(uuid4(), [level_changed(Level.SHED, at=here.clock.now)]))

    again = await here.submissions.submit(low, door="scheduler")
    reused = await here.submissions.submit(
        msgspec.structs.replace(low, payload=b"other text"), door="scheduler"
    )
    new = await here.submissions.submit(
        msgspec.structs.replace(low, command_id="order-2"), door="scheduler"
    )

    assert isinstance(first, Accepted)
    assert again == Duplicate(task=first.task, position=first.position)
    assert [a.code for a in (reused, new) if isinstance(a, Rejected)] == ["id_reused", "shed"]
    assert len(await here.history()) == here.pool.applied_to == first.position + 1


async def test_a_refused_class_is_taken_under_the_same_id_when_the_level_is_left(
    here: Scheduler,
) -> None:
    low = submission(priority_class=PriorityClass.BACKGROUND)
    ladder = stream_of(
        uuid4(), [level_changed(Level.SHED, at=here.clock.now), level_changed(Level.DEGRADE)]
    )
    await record(here.store, ladder[:1])
    refused = await here.submissions.submit(low, door="command")
    await record(here.store, ladder[1:])

    taken = await here.submissions.submit(low, door="command")

    assert isinstance(refused, Rejected)
    assert isinstance(taken, Accepted)


async def test_a_payload_that_is_stored_already_is_taken_by_reference(here: Scheduler) -> None:
    ref = await here.blobs.put("acme", b"stored before", "text/markdown")

    task = msgspec.structs.replace(submission(payload=None), payload_ref=ref)
    await here.submissions.submit(task, door="command")

    (event,) = await accepted_events(here)
    assert event.payload == ref


async def test_a_log_that_cannot_be_written_loses_nothing() -> None:
    world = World()
    here = await scheduler(world)
    world.store.failure = "disk full"

    answer = await here.submissions.submit(submission(), door="command")

    assert isinstance(answer, Unavailable)
    assert answer.retry_after_s > 0
    assert "disk full" in answer.message
    assert here.pool.tasks == {}
    world.store.failure = None
    assert isinstance(await here.submissions.submit(submission(), door="command"), Accepted)


async def test_nothing_is_promised_about_a_payload_that_could_not_be_stored() -> None:
    here = await scheduler(World(blobs=FullBlobs()))

    answer = await here.submissions.submit(submission(), door="command")

    assert isinstance(answer, Unavailable)
    assert await accepted_events(here) == []


async def test_a_task_that_no_device_could_run_is_refused_unless_it_was_accepted_before(
    here: Scheduler,
) -> None:
    before = await here.submissions.submit(submission(command_id="before"), door="command")
    await here.leader.attach(attach(offer(variants=("label",))))

    again = await here.submissions.submit(submission(command_id="before"), door="command")
    another = await here.submissions.submit(submission(command_id="after"), door="command")

    assert isinstance(before, Accepted)
    assert again == Duplicate(task=before.task, position=before.position)
    assert isinstance(another, Rejected)
    assert another.code == "not_loadable"
    assert len(await accepted_events(here)) == 1

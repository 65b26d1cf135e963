"""Dead letters: kept with their bytes, and submitted again at most once."""

import asyncio
import json
from dataclasses import replace

import pytest

from pointsman.contracts.commands import Accepted, Duplicate, RedriveDeadLetter, Rejected
from pointsman.contracts.events import DeadLetterRecorded, DeadLetterRedriven, TaskAccepted
from pointsman.contracts.streams import stream_id
from pointsman.runtime.acknowledgement import DeadLetter
from tests.support.leading import Scheduler, World, scheduler
from tests.support.scheduling import A

EVENT = {
    "specversion": "1.0",
    "id": "order-17",
    "source": "/shop",
    "type": "pointsman.task.submit.v1",
    "data": {"family": "summarize", "text": "a text"},
}


def letter(body: bytes | None = None, *, code: str = "deliveries_exhausted") -> DeadLetter:
    return DeadLetter(
        subject="pm.inbox.tasks.acme",
        message_id="order-17",
        code=code,
        detail="the log cannot be written",
        deliveries=5,
        headers={"Content-Type": "application/cloudevents+json"},
        body=json.dumps(EVENT).encode() if body is None else body,
        tenant="acme",
    )


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World())


async def buried(here: Scheduler, dead: DeadLetter) -> RedriveDeadLetter:
    await here.dead_letters.record(dead)
    recorded = [e for e in await here.store.read(0) if e.type == "dead_letter.recorded.v1"]
    return RedriveDeadLetter(command_id="r1", dead_letter=recorded[-1].stream, by="operator")


async def of_type(here: Scheduler, type_: type) -> list[object]:
    return [event for event in await here.history() if isinstance(event, type_)]


async def test_a_dead_letter_is_kept_with_its_bytes_and_the_reason(here: Scheduler) -> None:
    await here.dead_letters.record(letter(b"{not json", code="not_json"))

    (event,) = await of_type(here, DeadLetterRecorded)
    assert isinstance(event, DeadLetterRecorded)
    assert (event.code, event.message_id, event.deliveries) == ("not_json", "order-17", 5)
    assert event.body is not None
    assert await here.blobs.get("acme", event.body) == b"{not json"


async def test_recording_a_dead_letter_again_changes_nothing(here: Scheduler) -> None:
    for _ in range(3):
        await here.dead_letters.record(letter())
    assert len(await of_type(here, DeadLetterRecorded)) == 1

    await here.dead_letters.record(letter(b"another body under the same id"))
    assert len(await of_type(here, DeadLetterRecorded)) == 2


async def test_redriving_makes_a_new_task_that_names_its_cause(here: Scheduler) -> None:
    command = await buried(here, letter())

    answer = await here.redrive.redrive(command)

    (task,) = await of_type(here, TaskAccepted)
    assert isinstance(task, TaskAccepted)
    assert isinstance(answer, Accepted)
    assert task.causation_id == str(command.dead_letter)
    assert (task.tenant, task.source) == ("acme", "/shop")
    (redriven,) = await of_type(here, DeadLetterRedriven)
    assert isinstance(redriven, DeadLetterRedriven)
    assert (redriven.by, redriven.task) == ("operator", str(answer.task))


async def test_redriving_again_gives_the_same_task(here: Scheduler) -> None:
    command = await buried(here, letter())
    first = await here.redrive.redrive(command)

    for _ in range(2):
        again = await here.redrive.redrive(command)

        assert isinstance(first, Accepted)
        assert isinstance(again, Duplicate)
        assert again.task == first.task
    assert len(await of_type(here, TaskAccepted)) == 1
    assert len(await of_type(here, DeadLetterRedriven)) == 1


async def test_redriving_gives_the_same_task_when_command_ids_were_forgotten(
    here: Scheduler,
) -> None:
    command = await buried(here, letter())
    first = await here.redrive.redrive(command)
    assert await here.store.prune_inbox(keep_s=-1.0) > 0

    again = await here.redrive.redrive(command)

    assert isinstance(first, Accepted)
    assert isinstance(again, Duplicate)
    assert again.task == first.task


async def test_two_operators_at_the_same_time_make_one_task(here: Scheduler) -> None:
    command = await buried(here, letter())

    await asyncio.gather(*(here.redrive.redrive(command) for _ in range(4)))

    assert len(await of_type(here, TaskAccepted)) == 1
    assert len(await of_type(here, DeadLetterRedriven)) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{not json", "not_json"),
        (json.dumps({**EVENT, "data": {"text": "a"}}).encode(), "invalid_task"),
        (
            json.dumps({**EVENT, "data": {"family": "translate", "text": "a"}}).encode(),
            "unknown_family",
        ),
    ],
)
async def test_what_is_still_wrong_is_refused_again(
    here: Scheduler, body: bytes, code: str
) -> None:
    answer = await here.redrive.redrive(await buried(here, letter(body)))

    assert isinstance(answer, Rejected)
    assert answer.code == code
    assert await of_type(here, DeadLetterRedriven) == []


async def test_what_is_no_dead_letter_cannot_be_redriven(here: Scheduler) -> None:
    for stream in (A, stream_id("pool", "main")):
        command = RedriveDeadLetter(command_id="r1", dead_letter=stream, by="operator")

        answer = await here.redrive.redrive(command)

        assert isinstance(answer, Rejected)
        assert answer.code == "no_such_dead_letter"


@pytest.mark.parametrize(
    "subject", ["pm.inbox.feedback.acme", "pm.cmd.scheduler.main.submit", "pm.inbox.tasks"]
)
async def test_only_letters_of_the_task_inbox_can_be_redriven(
    here: Scheduler, subject: str
) -> None:
    command = await buried(here, replace(letter(), subject=subject))

    answer = await here.redrive.redrive(command)

    assert answer == Rejected(
        code="not_redrivable",
        message=f"only tasks can be redriven; this is a message on {subject}",
        next="its sender sends it again under a new id",
    )
    assert await of_type(here, TaskAccepted) == []


async def test_a_dead_letter_whose_bytes_are_damaged_is_refused(here: Scheduler) -> None:
    command = await buried(here, letter())
    (event,) = await of_type(here, DeadLetterRecorded)
    assert isinstance(event, DeadLetterRecorded)
    assert event.body is not None
    here.blobs.corrupt("acme", event.body)

    answer = await here.redrive.redrive(command)

    assert isinstance(answer, Rejected)
    assert answer.code == "blob_corrupt"


async def test_huge_headers_and_details_are_cut(here: Scheduler) -> None:
    dead = DeadLetter(
        subject="pm.inbox.tasks.acme",
        message_id="m",
        code="not_json",
        detail="d" * 100_000,
        deliveries=1,
        headers={"h" * 100_000: "v" * 100_000},
        body=b"",
        tenant="acme",
    )

    await here.dead_letters.record(dead)

    (recorded,) = [e for e in await here.store.read(0) if e.type == "dead_letter.recorded.v1"]
    assert len(bytes(recorded.data)) < 10_000

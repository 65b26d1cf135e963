"""Whatever other systems send gets a clear answer, and the queue goes on.

No model is run: the stack has the executor's stand-in (`up --noop`), since all of this is decided
before a task reaches a device.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from typing import Final
from uuid import UUID

import nats.errors
import pytest

from pointsman.cli.failures import CommandError
from pointsman.cli.stack.accounts import producer
from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Duplicate
from pointsman.contracts.history import judge
from pointsman.testing import wait_until
from tests.e2e.desk import TASK, Desk, open_desk
from tests.e2e.live_stack import TENANT, followed_log, show
from tests.e2e.sender import STRUCTURED, binary_headers, new_id, structured
from tests.e2e.up import RunningUp, running_up

OTHER: Final = "globex"
TOO_LONG: Final = "x" * (600 * 1024)
TOO_LARGE: Final = b"x" * (1024 * 1024 + 1)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    data = tmp_path_factory.mktemp("messages") / "data"
    with running_up(data, "--noop", "--tenant", TENANT, "--tenant", OTHER) as running:
        yield running


@pytest.fixture
async def desk(up: RunningUp) -> AsyncGenerator[Desk]:
    async with open_desk(up.record) as one:
        yield one


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_an_event_in_either_mode_becomes_a_task(desk: Desk, mode: str) -> None:
    event_id = new_id()

    if mode == "structured":
        await desk.sender.send(structured(event_id, TASK), STRUCTURED)
    else:
        await desk.sender.send(json.dumps(TASK).encode(), binary_headers(event_id))

    answer = await desk.sender.answer(event_id)
    assert answer["status"] == "accepted"
    await desk.ends_as(answer["task"], "completed")
    assert await desk.letters(event_id) == []


REFUSED: Final = {
    "a newer version": ("pointsman.task.submit.v2", TASK, "newer_version"),
    "another type": ("com.example.order.v1", TASK, "unknown_type"),
    "an unknown family": (None, {**TASK, "family": "divine"}, "unknown_family"),
    "an unknown model": (None, {**TASK, "model": "oracle"}, "unknown_model"),
    "an unknown field": (None, {**TASK, "wish": "fast"}, "invalid_task"),
    "no text": (None, {"family": "embed"}, "invalid_task"),
    "data that is no object": (None, "run it", "invalid_task"),
    "an oversized text": (None, {**TASK, "text": TOO_LONG}, "payload_too_large"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_an_event_that_cannot_become_a_task_is_refused(desk: Desk, case: str) -> None:
    type_, data, code = REFUSED[case]
    event_id = new_id()

    await desk.sender.send(
        structured(event_id, data) if type_ is None else structured(event_id, data, type_=type_),
        STRUCTURED,
    )

    answer = await desk.sender.answer(event_id)
    assert (answer["status"], answer["code"]) == ("rejected", code)
    assert answer["message"]
    assert answer["next"]
    assert [(row.code, row.deliveries) for row in await desk.letters(event_id)] == [(code, 1)]
    await desk.still_works()


POISON: Final = {
    "cut off": (b'{"family": "embed", "text": ', "not_json"),
    "no UTF-8": (b'{"family": "embed", "text": "\xff\xfe"}', "not_utf8"),
    "no number": (b'{"family": "embed", "boost_s": NaN}', "not_finite"),
    "nested": (b"[" * 5_000 + b"]" * 5_000, "too_deep"),
    "a repeated key": (b'{"family": "embed", "family": "classify"}', "repeated_key"),
    "an endless number": (b'{"boost_s": ' + b"9" * 5_000 + b"}", "long_number"),
}


@pytest.mark.parametrize("case", POISON)
async def test_a_body_that_is_no_clean_json_is_refused_under_its_id(desk: Desk, case: str) -> None:
    body, code = POISON[case]
    event_id = new_id()

    await desk.sender.send(body, binary_headers(event_id))

    answer = await desk.sender.answer(event_id)
    assert (answer["status"], answer["code"]) == ("rejected", code)
    assert [row.code for row in await desk.letters(event_id)] == [code]
    await desk.still_works()


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"hello": "world"}', "not_a_cloudevent"), (b"[]", "not_an_object"), (b"", "not_json")],
    ids=["an object", "a list", "nothing"],
)
async def test_what_is_no_event_is_answered_under_the_id_of_its_message(
    desk: Desk, body: bytes, code: str
) -> None:
    message_id = new_id()

    await desk.sender.send(body, {"Nats-Msg-Id": message_id})

    answer = await desk.sender.answer(message_id)
    assert (answer["status"], answer["code"]) == ("rejected", code)
    assert [row.code for row in await desk.letters(message_id)] == [code]
    await desk.still_works()


async def test_what_has_no_id_at_all_is_answered_under_its_place_in_the_queue(desk: Desk) -> None:
    place = await desk.sender.send(b"not even json")

    answer = await desk.sender.answer(place)
    assert (answer["status"], answer["code"]) == ("rejected", "not_json")
    assert [row.code for row in await desk.letters(place)] == ["not_json"]


async def test_a_repeated_event_is_told_the_task_of_the_first(desk: Desk) -> None:
    event_id = new_id()

    for number in range(2):
        headers = {**STRUCTURED, "Nats-Msg-Id": f"{event_id}-{number}"}
        await desk.sender.send(structured(event_id, TASK), headers)

    first = await desk.sender.answer(event_id)
    second = await desk.sender.answer(event_id, number=2)
    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert second["task"] == first["task"]
    assert await desk.letters(event_id) == []
    assert [row.message_id for row in await desk.tasks(TENANT)].count(event_id) == 1


async def test_an_id_that_is_used_for_another_task_is_refused(desk: Desk) -> None:
    event_id = new_id()
    await desk.sender.send(structured(event_id, TASK), STRUCTURED)
    await desk.sender.answer(event_id)

    await desk.sender.send(structured(event_id, {**TASK, "text": "another text"}), STRUCTURED)

    answer = await desk.sender.answer(event_id, number=2)
    assert (answer["status"], answer["code"]) == ("rejected", "id_reused")
    assert [row.code for row in await desk.letters(event_id)] == ["id_reused"]
    await desk.still_works()


async def test_a_redriven_dead_letter_becomes_a_task_once(desk: Desk) -> None:
    event_id = new_id()
    await desk.sender.send(structured(event_id, TASK), STRUCTURED)
    first = await desk.sender.answer(event_id)
    await desk.sender.send(structured(event_id, {**TASK, "text": "another text"}), STRUCTURED)
    await desk.sender.answer(event_id, number=2)
    (letter,) = await desk.letters(event_id)

    answers = [await desk.redrive(letter) for _ in range(2)]

    assert isinstance(answers[0], Accepted)
    task = answers[0].task
    assert isinstance(answers[1], Duplicate)
    assert answers[1].task == task != UUID(first["task"])
    await desk.ends_as(str(task), "completed")
    (letter,) = await desk.letters(event_id)
    assert letter.redriven_task == str(task)


async def test_a_redriven_dead_letter_that_is_still_wrong_is_refused_again(desk: Desk) -> None:
    event_id = new_id()
    await desk.sender.send(b"{", binary_headers(event_id))
    await desk.sender.answer(event_id)
    (letter,) = await desk.letters(event_id)

    with pytest.raises(CommandError) as refusal:
        await desk.redrive(letter)

    assert refusal.value.code == "not_json"
    (letter,) = await desk.letters(event_id)
    assert letter.redriven_task is None


async def test_a_deadline_in_the_past_is_accepted_and_expires(desk: Desk) -> None:
    answer = await desk.sender.submit({**TASK, "deadline": "2020-01-01T00:00:00Z"})

    assert answer["status"] == "accepted"
    await desk.ends_as(answer["task"], "expired")
    await desk.still_works()


async def test_a_message_above_the_limit_is_refused_before_it_is_sent(desk: Desk) -> None:
    with pytest.raises(nats.errors.MaxPayloadError):
        await desk.sender.send(TOO_LARGE)

    await desk.still_works()


async def test_a_message_above_the_limit_is_refused_by_the_server(
    desk: Desk, up: RunningUp
) -> None:
    account = up.record.accounts[producer(TENANT)]
    host, _, port = up.record.nats_url.removeprefix("nats://").partition(":")
    login = {"user": account.user, "pass": account.password, "verbose": False}
    reader, writer = await asyncio.open_connection(host, int(port))

    # A client that does not look at the limit which the server announces. The server hangs up at
    # the size; bytes behind it would be answered by a reset, which may overtake the server's words.
    writer.write(f"CONNECT {json.dumps(login)}\r\n".encode())
    writer.write(f"PUB {subjects.inbox(TENANT)} {len(TOO_LARGE)}\r\n".encode())
    async with asyncio.timeout(10):
        said = (await read_to_end(reader)).decode()
    writer.close()

    assert "-ERR 'Maximum Payload Violation'" in said
    await desk.still_works()


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    said = b""
    try:
        while chunk := await reader.read(65_536):
            said += chunk
    except ConnectionResetError:
        # The server hangs up on whatever else was on its way.
        return said
    return said


async def test_a_sender_cannot_speak_for_another_tenant(desk: Desk) -> None:
    before = await desk.tasks(OTHER)

    await desk.sender.nc.publish(subjects.inbox(OTHER), structured(new_id(), TASK))
    await wait_until(lambda: bool(desk.sender.refusals))

    assert "permissions violation" in desk.sender.refusals[0].lower()
    assert subjects.inbox(OTHER) in desk.sender.refusals[0]
    # Later than the refused message, so whatever became of that one has become of it by now.
    await desk.still_works()
    assert await desk.tasks(OTHER) == before


async def test_many_bad_messages_do_not_hold_up_the_good_ones(desk: Desk) -> None:
    good = [new_id() for _ in range(20)]
    began = time.monotonic()

    for event_id in good:
        await desk.sender.send(b"{", binary_headers(f"bad-{event_id}"))
        await desk.sender.send(structured(event_id, TASK), STRUCTURED)

    answers = [await desk.sender.answer(event_id) for event_id in good]
    for answer in answers:
        await desk.ends_as(answer["task"], "completed")
    show(test="mixed", good=20, bad=20, seconds=round(time.monotonic() - began, 2))


async def test_after_all_of_it_the_log_is_clean(up: RunningUp) -> None:
    async with followed_log(up.data) as log, open_desk(up.record) as desk:
        await log.wait_for(lambda: not judge(log.events).lost)

        letters = await desk.all_letters()
    verdict = judge(log.events)
    show(
        test="messages",
        mode="noop",
        accepted=verdict.accepted,
        ended=verdict.ended,
        dead_letters=dict(Counter(letter.code for letter in letters)),
        lost=len(verdict.lost),
        duplicate_results=len(verdict.duplicate_results),
        faults=verdict.faults(),
    )
    assert verdict.clean, verdict.faults()

"""The log as the command line shows it."""

from uuid import uuid4

import msgspec
import pytest

from pointsman.cli.commands.events import event_line
from pointsman.cli.documents import document
from pointsman.cli.event_types import topics_of
from pointsman.cli.failures import ExitCode
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS
from tests.cli.command_line import CommandLine, completed_task


@pytest.mark.parametrize("named", ["model.registered.v1", "model.registered"])
def test_events_are_filtered_by_type(pointsman: CommandLine, named: str) -> None:
    completed_task(pointsman)

    found = pointsman.json("events", "ls", "--type", named)

    assert {event["type"] for event in found} == {"model.registered.v1"}


def test_the_last_events_are_the_last_that_match(pointsman: CommandLine) -> None:
    first, second = completed_task(pointsman), completed_task(pointsman)

    accepted = pointsman.json("events", "ls", "--type", "task.accepted", "--last", "2")
    registered = pointsman.json("events", "ls", "--type", "model.registered", "--last", "1")
    more_than_all = pointsman.json("events", "ls", "--type", "model.registered", "--last", "999")
    ends = pointsman.json("events", "ls", "--stream", first, "--last", "1")

    assert [event["stream"] for event in accepted] == [first, second]
    assert registered == more_than_all[-1:]
    assert [event["type"] for event in ends] == ["task.completed.v1"]


@pytest.mark.parametrize("verb", ["ls", "tail"])
def test_an_unknown_type_is_answered_with_the_known_ones(pointsman: CommandLine, verb: str) -> None:
    done = pointsman("events", verb, "--type", "task.canceled")

    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "task.cancelled" in done.stderr


def test_one_event_is_shown_with_its_data_as_json(pointsman: CommandLine) -> None:
    shown = pointsman("events", "get", "1").stdout

    assert '"applied_to": ' in shown
    assert "None" not in shown


@pytest.mark.parametrize("topic", sorted({*TOPICS, *AGGREGATE_TOPICS}))
def test_every_released_type_may_be_asked_for(topic: str) -> None:
    assert topic in topics_of([topic.rpartition(".v")[0]])


@pytest.mark.parametrize("topic", ["task.accepted.v99", "task.teleported.v1"])
def test_an_event_of_a_newer_release_is_shown_as_it_is_stored(topic: str) -> None:
    newer = Recorded(
        position=7,
        id=uuid4(),
        stream=uuid4(),
        version=1,
        type=topic,
        time_us=1,
        data=msgspec.Raw(b'{"added_later":[1,2],"reason":"new"}'),
    )

    shown = document(newer)

    assert shown["data"] == {"added_later": [1, 2], "reason": "new"}
    assert topic in event_line(shown)
    assert "reason=new" in event_line(shown)

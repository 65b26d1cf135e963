"""Schedules on the command line."""

from typing import Any

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.schedule_wish import ScheduleWish
from pointsman.cli.submitting import InvalidOptionError
from pointsman.contracts.events import MissedTimes
from pointsman.contracts.message import PriorityClass
from tests.cli.command_line import CommandLine


def a_wish(**options: Any) -> ScheduleWish:  # noqa: ANN401 - whatever a test changes
    plain: dict[str, Any] = {
        "name": "digest",
        "tenant": "acme",
        "cron": "* * * * *",
        "timezone": "UTC",
        "missed": MissedTimes.ONCE,
        "family": "embed",
        "model": None,
        "priority_class": PriorityClass.STANDARD,
        "deadline": None,
        "boost_s": 0.0,
        "allow_degradation": None,
        "min_quality": 0.0,
        "max_attempts": 3,
        "parameters": (),
    }
    return ScheduleWish(**plain | options)


def test_the_deadline_of_a_schedule_counts_from_each_task() -> None:
    command = a_wish(deadline="2h", parameters=("sentences=3",)).command(b"a", by="ada")

    assert command.template.deadline_after_s == 7_200
    assert command.template.parameters == {"sentences": "3"}


@pytest.mark.parametrize(
    "options", [{"deadline": "2026-01-31T12:00:00Z"}, {"name": "no name"}, {"tenant": "A"}]
)
def test_what_cannot_be_meant_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(InvalidOptionError):
        a_wish(**options).command(b"a", by="ada")


def test_a_schedule_is_set_shown_and_removed(pointsman: CommandLine) -> None:
    made = pointsman.json(
        "schedule", "set", "digest", "--cron", "* * * * *", "--family", "embed", "--text", "hello"
    )
    (row,) = pointsman.json("schedule", "ls")
    removed = pointsman("schedule", "rm", "digest", "--reason", "enough")
    again = pointsman("schedule", "rm", "digest")

    assert made["detail"] == "set"
    assert (row["name"], row["cron"], row["next_due"]) == ("digest", "* * * * *", made["next_due"])
    assert removed.returncode == ExitCode.OK
    assert again.returncode == ExitCode.NOT_FOUND
    assert "pointsman schedule ls --data" in again.stderr
    assert pointsman.json("schedule", "ls") == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--cron", "* * * *"), "cron_invalid"),
        (("--cron", "* * * * *", "--model", "nobody"), "unknown_model"),
    ],
)
def test_a_schedule_that_could_make_no_task_is_refused(
    pointsman: CommandLine, options: tuple[str, ...], code: str
) -> None:
    done = pointsman("schedule", "set", "wrong", "--family", "embed", "--text", "a", *options)

    assert (done.returncode, code in done.stderr) == (ExitCode.FAILURE, True)

"""Schedules on the command line."""

from typing import Any
from uuid import uuid4

import pytest

from pointsman.cli.commands.schedule import warms_up
from pointsman.cli.failures import ExitCode, InvalidOptionError
from pointsman.cli.schedule_wish import ScheduleWish
from pointsman.cli.submitting import AllowedDegradation
from pointsman.contracts.events import MissedTimes, WarmUp
from pointsman.contracts.message import PriorityClass
from tests.cli.command_line import CommandLine
from tests.cli.in_process import Hand, log_as_before


def a_wish(**options: Any) -> ScheduleWish:  # noqa: ANN401 - whatever a test changes
    plain: dict[str, Any] = {
        "name": "digest",
        "tenant": "acme",
        "cron": "* * * * *",
        "timezone": "UTC",
        "missed": None,
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

    assert command.template is not None
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
        "schedule", "set", "digest", "--cron", "0 0 1 1 *", "--family", "embed", "--text", "hello"
    )
    (row,) = pointsman.json("schedule", "ls")
    removed = pointsman("schedule", "rm", "digest", "--reason", "enough")
    again = pointsman("schedule", "rm", "digest")

    assert made["detail"] == "set"
    assert (row["name"], row["cron"], row["next_due"]) == ("digest", "0 0 1 1 *", made["next_due"])
    assert removed.returncode == ExitCode.OK
    assert again.returncode == ExitCode.NOT_FOUND
    assert "pointsman schedule ls --data" in again.stderr
    assert pointsman.json("schedule", "ls") == []


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [
        (("--cron", "* * * *"), "cron_invalid", ExitCode.USAGE),
        (("--cron", "* * * * *", "--model", "nobody"), "unknown_model", ExitCode.NOT_FOUND),
    ],
)
def test_a_schedule_that_could_make_no_task_is_refused(
    pointsman: CommandLine, options: tuple[str, ...], code: str, status: ExitCode
) -> None:
    done = pointsman("schedule", "set", "wrong", "--family", "embed", "--text", "a", *options)

    assert (done.returncode, code in done.stderr) == (status, True)


WARM: dict[str, Any] = {"family": None}


def test_a_warm_up_names_a_variant_and_a_device_and_no_task() -> None:
    command = a_wish(**WARM).warm_up("large", "gpu-0", by="ada")

    assert (command.template, command.payload) == (None, b"")
    assert command.warm_up == WarmUp("large", "gpu-0")
    assert command.missed is MissedTimes.SKIP


@pytest.mark.parametrize(
    "options",
    [
        {"family": "embed"},
        {"model": "large"},
        {"priority_class": PriorityClass.BATCH},
        {"deadline": "30s"},
        {"boost_s": 3.0},
        {"allow_degradation": AllowedDegradation.NONE},
        {"min_quality": 0.5},
        {"max_attempts": 4},
        {"parameters": ("a=b",)},
        {"missed": MissedTimes.ONCE},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_is_about_tasks_is_refused_for_a_warm_up(options: dict[str, object]) -> None:
    with pytest.raises(InvalidOptionError):
        a_wish(**WARM | options).warm_up("large", "", by="ada")


@pytest.mark.parametrize(
    ("variant", "device", "shown"),
    [("large", "gpu-0", "large on gpu-0"), ("large", "", "large"), ("", "", "-")],
)
def test_a_row_shows_what_it_warms_up(variant: str, device: str, shown: str) -> None:
    assert warms_up({"warm_up": variant, "warm_up_device": device}) == shown


def test_without_a_device_that_loads_models_a_warm_up_is_refused(pointsman: CommandLine) -> None:
    (model, *_) = pointsman.json("model", "ls")
    wanted = ("schedule", "set", "morning", "--cron", "55 7 * * 1-5", "--warm", model["variant"])

    refused = pointsman(*wanted, "--device", "cpu-9")
    unclear = pointsman(*wanted, "--family", "embed")

    assert (refused.returncode, "no_such_device" in refused.stderr) == (ExitCode.NOT_FOUND, True)
    assert (unclear.returncode, "--warm makes none" in unclear.stderr) == (ExitCode.USAGE, True)


def test_a_schedule_is_paused_and_goes_on(pointsman: CommandLine) -> None:
    name, why = f"s-{uuid4()}", ("--reason", "a drill")
    new_year = ("schedule", "set", name, "--family", "embed", "--text", "a", "--cron")
    hand = Hand(pointsman.data)
    with log_as_before():
        hand.json(*new_year, "0 3 1 1 *")
        paused = hand("schedule", "pause", name, *why)
        (row,) = (each for each in hand.json("schedule", "ls") if each["name"] == name)
        again = hand(*new_year, "0 4 1 1 *")
        resumed = hand("schedule", "resume", name, *why)
        (after,) = (each for each in hand.json("schedule", "ls") if each["name"] == name)
        hand.json("schedule", "rm", name)

    assert paused.stdout == "nothing is due until it resumes\n"
    assert (row["next_due"], row["paused"].endswith(": a drill")) == (None, True)
    assert "set; not due while it is paused by cli:" in again.stdout
    assert resumed.stdout == "it goes on with its next due time\n"
    assert (after["next_due"] > row["set_at"], after["paused"]) == (True, "")

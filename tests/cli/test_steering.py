"""An operator at a running stack: hold, boost, move, pause, drain, limits, tenants."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from pointsman.cli.app import app
from pointsman.cli.commands.tenant import limit_of
from pointsman.cli.failures import ExitCode
from pointsman.contracts.steering import NO_LIMIT
from tests.cli.command_line import RunningUp
from tests.cli.in_process import Hand, log_as_before

WHY = ("--reason", "a drill")


@pytest.fixture
def pointsman(stack: RunningUp) -> Generator[Hand]:
    with log_as_before():
        yield Hand(stack.data)


@contextmanager
def paused(pointsman: Hand, kind: str, name: str) -> Generator[None]:
    """Nothing of a scope is granted inside."""
    pointsman.json("pause", kind, name, *WHY)
    try:
        yield
    finally:
        pointsman.json("resume", kind, name, *WHY)


def submitted(pointsman: Hand, *args: str) -> str:
    return str(pointsman.json("task", "submit", "summarize", "Some text.", *args)["task"])


def completed(pointsman: Hand) -> str:
    shown = pointsman.json("task", "submit", "summarize", "Some text.", "--wait")
    return str(shown["task"])


def row(pointsman: Hand, what: str, name: str) -> dict[str, Any]:
    """The row of `what ls` whose first field is `name`."""
    rows: list[dict[str, Any]] = pointsman.json(what, "ls")
    return next(each for each in rows if next(iter(each.values())) == name)


def test_a_task_is_held_moved_boosted_and_released(pointsman: Hand) -> None:
    with paused(pointsman, "tenant", "acme"):
        task = submitted(pointsman, "--tenant", "acme")

        assert pointsman.json("task", "hold", task, *WHY) == {"task": task, "detail": "held"}
        moved = pointsman("task", "move", task, "--class", "batch", *WHY)
        boosted = pointsman("task", "boost", task, "60", *WHY)
        again = pointsman("task", "boost", task, "60", *WHY)
        shown = pointsman.json("task", "get", task)
        listed = pointsman("task", "ls", "--tenant", "acme", "--limit", "1")

    assert moved.stdout == "moved from standard to batch\n"
    assert boosted.stdout == "due 60 s earlier than its class says\n"
    assert again.stdout == "it is due 60 s earlier already\n"
    assert (shown["state"], shown["priority_class"], shown["boost_s"]) == ("queued", "batch", 60.0)
    assert shown["held"].endswith(": a drill")
    assert "queued (held)" in listed.stdout
    why = pointsman("task", "why", task).stdout
    assert "It waits for its release: it is held by cli:" in why
    assert pointsman.json("task", "release", task, *WHY)["detail"] == "released"
    assert pointsman("task", "watch", task).returncode == ExitCode.OK
    assert "moved to batch work by cli:" in pointsman("task", "why", task).stdout


def test_what_is_paused_waits_and_is_listed(pointsman: Hand) -> None:
    with paused(pointsman, "family", "summarize"):
        task = submitted(pointsman)
        (listed,) = pointsman.json("pause")
        table = pointsman("pause").stdout
        why = pointsman("task", "why", task).stdout

    assert (listed["kind"], listed["name"], listed["reason"]) == ("family", "summarize", "a drill")
    assert table.splitlines()[0].split()[:2] == ["KIND", "NAME"]
    assert "It waits for its turn: family summarize is paused by cli:" in why
    assert pointsman("task", "watch", task).returncode == ExitCode.OK
    assert pointsman.json("pause") == []


def test_a_device_is_drained_and_takes_work_again(pointsman: Hand) -> None:
    (device,) = (each["device"] for each in pointsman.json("device", "ls"))

    drained = pointsman("device", "drain", device, *WHY)
    again = pointsman("device", "drain", device, *WHY)
    state = row(pointsman, "device", device)
    undrained = pointsman.json("device", "undrain", device, *WHY)

    assert drained.stdout == "drained, nothing runs there\n"
    assert again.stdout.startswith("it is drained already by cli:")
    assert state["state"] == "drained"
    assert state["reason"].endswith(": a drill")
    assert undrained == {"device": device, "detail": "it takes work again"}
    assert completed(pointsman)


def test_a_model_is_limited_and_a_load_that_no_device_takes_is_refused(
    pointsman: Hand,
) -> None:
    name = pointsman.json("model", "ls")[0]["variant"]

    limited = pointsman("model", "limit", name, "--running", "1", *WHY)
    shown = row(pointsman, "model", name)["running_limit"]
    unlimited = pointsman("model", "limit", name, "--none", *WHY)
    refused = pointsman("model", "unload", name, *WHY, "-o", "json")

    assert limited.stdout == f"{name} runs at most 1 at a time\n"
    assert shown == 1
    assert unlimited.stdout == f"{name} runs as often as there are slots\n"
    assert refused.returncode == ExitCode.FAILURE
    assert '"code":"device_fixed"' in refused.stdout


def test_a_tenant_is_set_and_its_queue_is_bounded(pointsman: Hand) -> None:
    told = pointsman("tenant", "set", "globex", "--weight", "2", "--queued", "1", *WHY).stdout
    with paused(pointsman, "tenant", "globex"):
        first = submitted(pointsman, "--tenant", "globex")
        refused = pointsman("task", "submit", "summarize", "More.", "--tenant", "globex")
        shown = row(pointsman, "tenant", "globex")
    pointsman.json("tenant", "set", "globex", "--weight", "1", "--queued", "none", *WHY)

    assert told == "tenant globex: weight 2, any number running, at most 1 waiting\n"
    assert "[tenant_queue_full]" in refused.stderr
    assert refused.returncode == ExitCode.FAILURE
    assert (shown["weight"], shown["queued"], shown["queued_limit"]) == (2.0, 1, 1)
    assert shown["paused"].endswith(": a drill")
    assert pointsman("task", "watch", first).returncode == ExitCode.OK
    assert row(pointsman, "tenant", "globex")["queued_limit"] is None


def test_what_is_not_there_is_not_found(pointsman: Hand) -> None:
    assert pointsman("task", "hold", str(uuid4()), *WHY).returncode == ExitCode.NOT_FOUND
    absent = pointsman("device", "drain", "absent", *WHY)

    assert absent.returncode == ExitCode.NOT_FOUND
    assert "[no_such_device]" in absent.stderr
    assert f"pointsman device ls --data {pointsman.data}" in absent.stderr


def test_a_task_that_has_ended_is_not_steered(pointsman: Hand) -> None:
    task = completed(pointsman)

    held = pointsman("task", "hold", task, *WHY)

    assert held.returncode == ExitCode.CONFLICT
    assert "[task_ended]" in held.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("task", "hold", str(uuid4())),
        ("task", "boost", str(uuid4()), "-1", *WHY),
        ("pause", "tenant", "acme"),
        ("pause", "tenant", *WHY),
        ("resume", "tenant", "acme"),
        ("device", "drain", "noop-0"),
        ("model", "limit", "fast", *WHY),
        ("model", "limit", "fast", "--running", "1", "--none", *WHY),
        ("tenant", "set", "acme", *WHY),
        ("tenant", "set", "acme", "--running", "few", *WHY),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, [*words]).exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "limit"), [(None, None), ("none", NO_LIMIT), ("0", 0), ("12", 12)]
)
def test_a_limit_is_a_number_or_none(text: str | None, limit: int | None) -> None:
    assert limit_of(text, "--running") == limit


@pytest.mark.parametrize("text", ["", "few", "-1", "1.5"])
def test_anything_else_is_no_limit(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        limit_of(text, "--running")

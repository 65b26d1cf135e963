"""An operator at a running stack: hold, boost, move, pause, drain, limits, tenants."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from pointsman.cli.app import app
from pointsman.cli.failures import ExitCode, InvalidOptionError
from pointsman.cli.refusals import rejected
from pointsman.cli.steering import limit_of
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

    assert moved.stdout.startswith("moved from standard to batch")
    assert boosted.stdout.startswith("due 60 s earlier than its class says")
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
    for words in (
        ("model", "load", "absent"),
        ("model", "unload", "absent"),
        ("model", "limit", "absent", "--none"),
        ("pause", "model", "absent"),
        ("pause", "family", "absent"),
        ("pause", "pool", "absent"),
        ("resume", "family", "absent"),
        ("schedule", "pause", "absent"),
    ):
        assert pointsman(*words, *WHY).returncode == ExitCode.NOT_FOUND, words


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
        ("task", "wait"),
        ("schedule", "pause", "digest"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, [*words]).exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("task", "hold", str(uuid4()), "--reason", ""), "--reason is empty"),
        (("task", "release", str(uuid4()), "--reason", " "), "--reason is empty"),
        (("task", "hold", str(uuid4()), "--reason", "x" * 1_001), "1001 characters, at most 1000"),
        (("pause", "tenant", "Bad Name", *WHY), "is no tenant"),
        (("pause", "model", "", *WHY), "name the model"),
        (("pause", "tenant", "acme", "--reason", ""), "--reason is empty"),
        (("resume", "tenant", "Bad Name", *WHY), "is no tenant"),
        (("device", "drain", "noop-0", "--reason", ""), "--reason is empty"),
        (("model", "load", "fast", "--reason", ""), "--reason is empty"),
        (("model", "limit", "fast", "--running", "-1", *WHY), "--running '-1' is neither"),
        (("tenant", "set", "Bad Name", "--weight", "2", *WHY), "is no tenant"),
        (("tenant", "set", "acme", "--running", "few", *WHY), "--running 'few' is neither"),
        (("tenant", "set", "acme", "--queued", "1000001", *WHY), "from 0 to 1000000"),
        (("tenant", "set", "acme", "--weight", "nan", *WHY), "--weight nan is not between"),
        (("tenant", "set", "acme", "--weight", "-1", *WHY), "--weight -1 is not between"),
        (("schedule", "pause", "digest", "--reason", ""), "--reason is empty"),
        (("schedule", "resume", "bad name", *WHY), "is no name"),
        (("schedule", "rm", "digest", "--tenant", "Bad Name"), "is no tenant"),
        (("task", "wait", "--bulk", "bad name"), "is no name"),
        (("task", "cancel", str(uuid4()), "--reason", " "), "--reason is empty"),
        (("task", "cancel", "--bulk", "b", "--reason", ""), "--reason is empty"),
        (("schedule", "rm", "digest", "--reason", ""), "--reason is empty"),
        (("feedback", "undo", str(uuid4()), "--reason", " "), "--reason is empty"),
        (("feedback", "give", str(uuid4()), "--comment", " "), "--comment is empty"),
        (("project", "decide", "p", "--title", "t", "--reason", ""), "--reason"),
        (("project", "decide", "p", "--title", " ", "--reason", "r"), "--title"),
        (("pause", "model"), "name the model"),
        (("pause", "model", "fast"), "say why with --reason"),
        (("schedule", "set", "s", "--cron", "* * * * *", "--family", "f"), "--text or --file"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence_with_a_code(
    words: tuple[str, ...], said: str
) -> None:
    for_people = CliRunner().invoke(app, [*words])
    for_programs = CliRunner().invoke(app, [*words, "-o", "json"])

    assert for_people.exit_code == for_programs.exit_code == ExitCode.USAGE
    assert said in for_people.stderr
    assert "[invalid_option]" in for_people.stderr
    error = json.loads(for_programs.stdout)["error"]
    assert error["code"] == "invalid_option"
    assert error["next"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_tenant_that_nobody_knows_is_not_found(pointsman: Hand, verb: str) -> None:
    done = pointsman(verb, "tenant", "nosuch", *WHY)

    assert done.returncode == ExitCode.NOT_FOUND
    assert "[no_such_tenant]" in done.stderr
    assert f"pointsman tenant set --data {pointsman.data} nosuch --weight 1" in done.stderr


def test_a_tenant_with_settings_is_known(pointsman: Hand) -> None:
    pointsman.json("tenant", "set", "expected", "--weight", "1", "--queued", "9", *WHY)

    with paused(pointsman, "tenant", "expected"):
        assert row(pointsman, "tenant", "expected")["paused"]


@pytest.mark.parametrize(("text", "limit"), [("none", NO_LIMIT), ("0", 0), ("12", 12)])
def test_a_limit_is_a_number_or_none(text: str, limit: int) -> None:
    assert limit_of(text, "--running") == limit


@pytest.mark.parametrize("text", ["", "few", "-1", "1.5", "1000001"])
def test_anything_else_is_no_limit(text: str) -> None:
    with pytest.raises(InvalidOptionError):
        limit_of(text, "--running")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("unknown_model", ExitCode.NOT_FOUND),
        ("unknown_family", ExitCode.NOT_FOUND),
        ("unknown_dependency", ExitCode.NOT_FOUND),
        ("no_such_pool", ExitCode.NOT_FOUND),
        ("no_such_device", ExitCode.NOT_FOUND),
        ("boost_out_of_range", ExitCode.USAGE),
        ("ttl_out_of_range", ExitCode.USAGE),
        ("too_far_ahead", ExitCode.USAGE),
        ("malformed_request", ExitCode.USAGE),
        ("cron_invalid", ExitCode.USAGE),
        ("unknown_timezone", ExitCode.USAGE),
        ("task_not_open", ExitCode.CONFLICT),
        ("id_reused", ExitCode.CONFLICT),
        ("not_loadable", ExitCode.FAILURE),
        ("shed", ExitCode.FAILURE),
    ],
)
def test_a_refusal_has_the_exit_status_of_its_kind(code: str, status: ExitCode) -> None:
    assert rejected(code, "no", "do").exit_code is status

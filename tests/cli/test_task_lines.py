"""Many tasks from a file, bulks, times and dependencies, as a person uses them."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode, InvalidOptionError
from pointsman.cli.submitting import moment_ahead
from pointsman.cli.task_lines import LineAnswer, Lines
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES, SubmitTask
from tests.cli.command_line import CommandLine
from tests.cli.in_process import Hand, log_as_before

NOW = 1_767_268_800.0
HOW = Lines(tenant="acme", bulk="backfill", now=NOW)


def line(**fields: object) -> bytes:
    return json.dumps({"family": "embed", "text": "a", **fields}).encode()


def command(body: bytes, how: Lines = HOW, *, number: int = 3) -> SubmitTask:
    made = how.command(number, body)
    assert isinstance(made, SubmitTask), made
    return made


def test_a_line_of_a_bulk_is_known_by_its_number() -> None:
    made = command(line(deadline_ms=1_500))

    assert (made.command_id, made.bulk, made.tenant) == ("backfill/3", "backfill", "acme")
    assert (made.payload, made.deadline) == (b"a", NOW + 1.5)


def test_a_line_may_have_an_id_and_a_bulk_of_its_own() -> None:
    own = command(line(id="order-1", bulk="another"))
    without = [command(line(), Lines(tenant="acme", bulk=None, now=NOW)) for _ in range(2)]

    assert (own.command_id, own.bulk) == ("order-1", "another")
    assert without[0].command_id != without[1].command_id
    assert without[0].bulk is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"family": "embed"', "not_json"),
        (b'["embed", "a"]', "not_an_object"),
        (b'{"family": "embed", "family": "classify", "text": "a"}', "repeated_key"),
        (b'{"family": "embed"}', "invalid_task"),
        (line(colour="red"), "invalid_task"),
        (line(depends_on=["not-an-id"]), "invalid_task"),
        (line(not_before="2026-01-01T12:00:00"), "invalid_task"),
        (line(id=""), "invalid_task"),
        (line(text="a" * (MAX_PAYLOAD_BYTES + 1)), "payload_too_large"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(body: bytes, code: str) -> None:
    answer = HOW.command(7, body)

    assert isinstance(answer, LineAnswer)
    assert (answer.line, answer.status, answer.code, bool(answer.message)) == (
        7,
        "refused",
        code,
        True,
    )


@pytest.mark.parametrize(("text", "after_s"), [("+30m", 1_800.0), ("2d", 172_800.0)])
def test_a_span_ahead_may_have_a_sign_and_days(text: str, after_s: float) -> None:
    assert moment_ahead("--not-before", text, now=NOW) == NOW + after_s


def test_a_moment_that_is_none_is_refused_with_its_option() -> None:
    with pytest.raises(InvalidOptionError, match="--not-before"):
        moment_ahead("--not-before", "tomorrow", now=NOW)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.jsonl"
    later = {"not_before": "2100-01-01T00:00:00Z"}
    near = {"not_before": "2026-01-01T00:00:00Z", "priority_class": "batch"}
    bodies = [line(), b'{"family": "embed"', b"", line(**near), line(family="nope"), line(**later)]
    path.write_bytes(b"\n".join(bodies) + b"\n")
    return path


def test_a_bad_line_costs_no_other_and_the_file_can_be_sent_again(
    pointsman: CommandLine, lines: Path
) -> None:
    bulk = f"bulk-{uuid4()}"

    first = pointsman("task", "submit-many", str(lines), "--bulk", bulk, "-o", "jsonl")
    again = pointsman("task", "submit-many", str(lines), "--bulk", bulk)
    rows = pointsman.json("task", "ls", "--bulk", bulk)

    answers = [json.loads(each) for each in first.stdout.splitlines()]
    assert first.returncode == again.returncode == ExitCode.FAILURE
    assert [(each["line"], each["code"] or each["status"]) for each in answers] == [
        (1, "accepted"),
        (2, "not_json"),
        (4, "accepted"),
        (5, "unknown_family"),
        (6, "too_far_ahead"),
    ]
    assert "line 5: no model of family 'nope' is registered [unknown_family]" in again.stdout
    assert "0 accepted, 2 duplicate, 3 refused" in again.stderr
    assert {row["task"] for row in rows} == {each["task"] for each in answers if each["task"]}


def test_a_bulk_that_waits_is_cancelled_and_what_depends_on_it_fails(
    pointsman: CommandLine,
) -> None:
    bulk = f"bulk-{uuid4()}"
    waiting = pointsman.json("task", "submit", "embed", "a", "--not-before", "+1h", "--bulk", bulk)
    after = pointsman.json("task", "submit", "embed", "b", "--after", waiting["task"])

    why = pointsman("task", "why", after["task"]).stdout
    cancelled = pointsman.json("task", "cancel", "--bulk", bulk, "--reason", "not wanted")
    shown = pointsman.json("task", "get", after["task"])
    refused = pointsman("task", "submit", "embed", "c", "--after", waiting["task"])

    assert f"It waits for task {waiting['task']} to complete." in why
    assert cancelled == {"bulk": bulk, "tenant": "default", "cancelled": 1}
    assert (shown["state"], shown["code"]) == ("failed", "dependency_failed")
    assert "dependency_failed" in refused.stderr


def test_what_keeps_every_line_from_being_sent_is_one_document(tmp_path: Path) -> None:
    nobody, lines = Hand(tmp_path / "nothing"), tmp_path / "lines"
    lines.write_text('{"family":"embed","text":"a"}\n')

    with log_as_before():
        done = nobody("task", "submit-many", str(lines), "-o", "json")
        missing = nobody("task", "submit-many", str(tmp_path / "missing"), "-o", "json")

    assert json.loads(done.stdout)["error"]["code"] == "unreachable"
    assert json.loads(missing.stdout)["error"]["code"] == "input_unreadable"
    assert missing.returncode == ExitCode.NOT_FOUND


def test_a_bulk_is_waited_for_until_all_of_it_has_ended(pointsman: CommandLine) -> None:
    bulk, hand = f"bulk-{uuid4()}", Hand(pointsman.data)
    with log_as_before():
        for text in ("a", "b"):
            hand.json("task", "submit", "embed", text, "--bulk", bulk)
        ended = hand.json("task", "wait", "--bulk", bulk)
        hand.json("task", "submit", "embed", "c", "--not-before", "+1h", "--bulk", bulk)
        too_long = hand("task", "wait", "--bulk", bulk, "--timeout", "0.2")
        hand.json("task", "cancel", "--bulk", bulk)
        one_cancelled = hand("task", "wait", "--bulk", bulk)
        none_left = hand("task", "cancel", "--bulk", bulk)
        absent = [
            hand("task", verb, "--bulk", bulk, "--tenant", "nobody") for verb in ("wait", "cancel")
        ]

    assert ended == {"bulk": bulk, "tenant": "default", "states": {"completed": 2}}
    assert too_long.returncode == ExitCode.TIMEOUT
    assert f"1 of 3 tasks of bulk {bulk} had not ended within 200 ms" in too_long.stderr
    assert one_cancelled.returncode == ExitCode.TASK_FAILED
    assert one_cancelled.stdout == "3 tasks ended: 2 completed, 1 cancelled\n"
    assert (none_left.returncode, none_left.stdout) == (ExitCode.OK, "0 tasks cancelled\n")
    for each in absent:
        assert each.returncode == ExitCode.NOT_FOUND
        assert "[no_such_bulk]" in each.stderr


def test_a_task_runs_after_another(pointsman: CommandLine) -> None:
    first = pointsman.json("task", "submit", "embed", "a", "--not-before", "+1s")
    second = pointsman.json("task", "submit", "embed", "b", "--after", first["task"], "--wait")

    assert second["state"] == "completed"
    assert pointsman.json("task", "get", first["task"])["state"] == "completed"


@pytest.mark.parametrize(
    "words",
    [
        ("submit-many", "-", "--bulk", ".."),
        ("cancel",),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    pointsman: CommandLine, words: tuple[str, ...]
) -> None:
    assert pointsman("task", *words).returncode == ExitCode.USAGE

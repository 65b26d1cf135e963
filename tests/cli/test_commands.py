"""Every command against a running stack: formats and exit statuses."""

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode
from tests.cli.command_line import CommandLine, completed_task

NOBODY = "00000000-0000-0000-0000-000000000000"
TASK_EVENTS = ["task.accepted.v1", "task.granted.v1", "task.completed.v1"]


def test_a_task_is_submitted_and_its_result_shown(pointsman: CommandLine) -> None:
    shown = pointsman.json("task", "submit", "summarize", "What was sent.", "--wait")

    assert shown["state"] == "completed"
    # The stand-in gives every payload back.
    assert shown["result_text"] == "What was sent."


def test_the_input_may_come_from_standard_input_or_a_file(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "input.txt"
    file.write_text("from a file")

    piped = pointsman("task", "submit", "classify", "-", "--wait", stdin="from a pipe")
    read = pointsman("task", "submit", "classify", "--file", str(file), "--wait")

    assert piped.stdout.endswith("result:\nfrom a pipe\n")
    assert read.stdout.endswith("result:\nfrom a file\n")


def test_without_wait_the_id_is_all_that_is_printed(pointsman: CommandLine) -> None:
    done = pointsman("task", "submit", "embed", "text")

    assert done.returncode == ExitCode.OK
    assert re.fullmatch(r"[0-9a-f-]{36}\n", done.stdout)


def test_a_repeated_id_makes_no_second_task_and_another_text_is_a_conflict(
    pointsman: CommandLine,
) -> None:
    own = f"order-{uuid4()}"

    first = pointsman.json("task", "submit", "embed", "text", "--id", own)
    again = pointsman.json("task", "submit", "embed", "text", "--id", own)
    other = pointsman("task", "submit", "embed", "another text", "--id", own, "-o", "json")

    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert first["task"] == again["task"]
    assert other.returncode == ExitCode.CONFLICT
    assert json.loads(other.stdout)["error"]["code"] == "id_reused"


def test_a_task_of_a_conversation_gets_its_context_first(pointsman: CommandLine) -> None:
    talk = ("--project", f"p-{uuid4()}", "--conversation", "first", "--context-tokens", "64")

    shown = pointsman.json("task", "submit", "summarize", "Hello there.", *talk, "--wait")

    assert shown["state"] == "completed"
    assert "Hello there." in shown["result_text"]
    events = pointsman.json("events", "ls", "--stream", shown["task"])
    assert [event["type"] for event in events] == [
        "task.accepted.v1",
        "task.prepared.v1",
        *TASK_EVENTS[1:],
    ]


@pytest.mark.parametrize("option", ["--project", "--conversation"])
def test_a_name_that_is_none_is_wrong_usage(pointsman: CommandLine, option: str) -> None:
    done = pointsman("task", "submit", "summarize", "text", option, "two words")

    assert done.returncode == ExitCode.USAGE
    assert f"{option} 'two words' is no name" in done.stderr


def test_a_task_that_does_not_complete_is_a_failure_of_wait(pointsman: CommandLine) -> None:
    done = pointsman("task", "submit", "embed", "x", "--deadline", "1ms", "--wait", "-o", "json")

    assert done.returncode == ExitCode.TASK_FAILED
    assert json.loads(done.stdout)["state"] == "expired"


def test_waiting_ends_after_its_time(pointsman: CommandLine) -> None:
    done = pointsman("task", "submit", "embed", "x", "--wait", "--timeout", "0", "-o", "json")

    assert done.returncode == ExitCode.TIMEOUT
    assert json.loads(done.stdout)["error"]["code"] == "timeout"


def test_a_family_that_nobody_serves_is_refused_with_a_way_on(pointsman: CommandLine) -> None:
    done = pointsman("task", "submit", "translate", "text", "-o", "json")

    error = json.loads(done.stdout)["error"]
    assert done.returncode == ExitCode.NOT_FOUND
    assert error["code"] == "unknown_family"
    assert "model ls" in error["next"]


@pytest.mark.parametrize(
    "args",
    [
        ("task", "submit", "embed"),
        ("task", "submit", "embed", "text", "--deadline", "soon"),
        ("task", "submit", "embed", "text", "--param", "novalue"),
        ("task", "submit", "embed", "text", "--class", "urgent"),
        ("task", "submit", "embed", "text", "--tenant", "a b"),
        ("task", "submit", "embed", "text", "--max-attempts", "11"),
        ("task", "submit", "embed", "text", "--allow-degradation", "halve"),
        ("task", "submit", "embed", "text", "--result", "-"),
        ("task", "get", "not-an-id"),
        ("events", "get", str(2**63)),
        ("events", "ls", "--after", str(2**63)),
        ("task", "ls", "--state", "sleeping"),
        ("task", "ls", "-o", "yaml"),
        ("up", "--triton", "http://127.0.0.1:1"),
        ("up", "--tenant", "Not.A.Token"),
        ("up", "--noop", "--triton", "grpc://127.0.0.1:1"),
        ("no-such-command",),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_apart(pointsman: CommandLine, args: tuple[str, ...]) -> None:
    done = pointsman(*args)

    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "[invalid_option]" in done.stderr
    assert " --help" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("task", "get", NOBODY),
        ("task", "why", NOBODY),
        ("task", "watch", NOBODY),
        ("task", "cancel", NOBODY),
        ("dead", "redrive", NOBODY),
        ("events", "get", "999999999"),
        ("task", "submit", "embed", "--file", "/no/such/file"),
        ("task", "ls", "--pool", "nosuch"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_not_found(pointsman: CommandLine, args: tuple[str, ...]) -> None:
    done = pointsman(*args)

    assert done.returncode == ExitCode.NOT_FOUND
    assert done.stdout == ""
    assert "error: " in done.stderr


def test_a_list_is_filtered_and_its_documents_are_whole(pointsman: CommandLine) -> None:
    task = completed_task(pointsman, "--tenant", "globex")

    (row,) = pointsman.json("task", "ls", "--tenant", "globex", "--limit", "1")
    none = pointsman.json("task", "ls", "--tenant", "nobody")
    line = pointsman("task", "ls", "--tenant", "globex", "--limit", "1", "-o", "jsonl").stdout

    assert row["task"] == task
    assert row["deadline"] is None
    assert none == []
    assert json.loads(line) == row


def test_a_table_without_a_terminal_is_plain_text(pointsman: CommandLine) -> None:
    completed_task(pointsman)

    table = pointsman("task", "ls").stdout

    assert table.startswith("TASK")
    assert "\x1b" not in table


def test_why_tells_the_history_in_sentences(pointsman: CommandLine) -> None:
    task = completed_task(pointsman)

    sentences = pointsman("task", "why", task).stdout
    document = pointsman.json("task", "why", task)

    assert "granted to" in sentences
    assert "completed by" in sentences
    assert sentences.splitlines() == document["sentences"]


def test_watching_a_task_ends_with_its_last_event(pointsman: CommandLine) -> None:
    task = completed_task(pointsman)

    events = pointsman.json("task", "watch", task)

    assert [event["type"] for event in events] == TASK_EVENTS


def test_the_log_is_read_in_order_and_by_position(pointsman: CommandLine) -> None:
    task = completed_task(pointsman)

    stream = pointsman.json("events", "ls", "--stream", task)
    one = pointsman.json("events", "get", str(stream[0]["position"]))
    tail = pointsman.json("events", "tail", "--after", "0", "--limit", "3")
    last = pointsman.json("events", "ls", "--last", "2")

    assert [event["type"] for event in stream] == TASK_EVENTS
    assert one == stream[0]
    assert [event["position"] for event in tail] == [1, 2, 3]
    assert len(last) == 2


def test_cancelling_a_task_that_has_ended_is_a_conflict(pointsman: CommandLine) -> None:
    task = completed_task(pointsman)

    done = pointsman("task", "cancel", task, "--reason", "not needed")

    assert (done.returncode, done.stdout) == (ExitCode.CONFLICT, "")
    assert "completed" in done.stderr
    assert pointsman.json("task", "get", task)["state"] == "completed"


def test_models_and_devices_are_listed(pointsman: CommandLine) -> None:
    models = pointsman.json("model", "ls")
    devices = pointsman.json("device", "ls")

    assert {"summarize", "classify", "embed"} <= {model["family"] for model in models}
    assert [(row["device"], row["device_class"], row["state"]) for row in devices] == [
        ("noop-0", "noop", "ready")
    ]


def test_no_dead_letters_is_an_empty_list(pointsman: CommandLine) -> None:
    assert pointsman.json("dead", "ls") == []


@pytest.mark.parametrize(
    "args",
    [("task", "ls"), ("events", "ls"), ("dead", "ls"), ("model", "ls"), ("device", "ls")],
    ids=" ".join,
)
def test_without_a_stack_every_question_says_how_to_start_one(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    alone = CommandLine(tmp_path / "nothing")

    words = alone(*args)
    document = alone(*args, "-o", "json")

    assert words.returncode == document.returncode == ExitCode.UNREACHABLE
    assert "pointsman up" in words.stderr
    assert json.loads(document.stdout)["error"]["code"] == "unreachable"


def test_a_file_instead_of_a_directory_is_answered_with_a_way_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wrong = CommandLine(tmp_path / "file")

    started = wrong("up", "--noop")
    listed = wrong("task", "ls")

    assert started.returncode == listed.returncode == ExitCode.USAGE
    assert "[data_directory_unusable]" in started.stderr
    assert "is no directory" in listed.stderr
    assert "Traceback" not in started.stderr + listed.stderr


def test_the_exit_statuses_are_documented(pointsman: CommandLine) -> None:
    page = (Path(__file__).parents[2] / "services/cli/README.md").read_text()
    help_text = " ".join(pointsman("--help").stdout.split())

    for code in ExitCode:
        assert f"| {code.value} |" in page
        assert re.search(rf"\b{code.value} \w+", help_text)


def test_the_doctor_gives_a_status_and_advice_for_each_finding(pointsman: CommandLine) -> None:
    done = pointsman("doctor", "-o", "json")

    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    failed = [check for check, finding in findings.items() if finding["status"] == "fail"]
    assert (done.returncode == ExitCode.OK) is not bool(failed)
    assert findings["stack"]["found"].startswith("answers")
    assert findings["nats-server"]["status"] == "ok"
    assert all(f["next"] for f in findings.values() if f["status"] != "ok")


def test_the_doctor_names_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = CommandLine(tmp_path / "file" / "data")("doctor", "-o", "json")

    assert done.returncode == ExitCode.FAILURE
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert findings["data directory"]["status"] == "fail"

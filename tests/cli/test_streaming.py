"""`task submit --stream`: the text as it comes."""

import json
import signal
import subprocess
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.cli.failures import ExitCode
from pointsman.cli.streaming import GrowingText
from pointsman.contracts.token_streams import StreamPart
from tests.cli.command_line import POINTSMAN, CommandLine, environment

INTERRUPTED = 130
TEXT = "Once upon a time there was a lock."


def part(text: str, offset: int = 0, *, attempt: int = 1) -> StreamPart:
    return StreamPart(task=UUID(int=1), attempt=attempt, sequence=1, offset=offset, text=text)


@given(st.lists(st.integers(0, len(TEXT)), max_size=8), st.lists(st.booleans(), max_size=9))
def test_whatever_parts_are_lost_or_told_again_the_whole_text_is_shown(
    cuts: list[int], lost: list[bool]
) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    parts = [part(TEXT[start:stop], start) for start, stop in pairwise(edges)]
    growing, shown = GrowingText(), ""

    for number, each in enumerate(parts):
        if number < len(lost) and lost[number]:
            continue
        shown += growing.take(each)
        shown += growing.take(each)

    assert TEXT.startswith(shown)
    assert shown + growing.rest(TEXT) == TEXT


def test_progress_is_said_when_it_has_changed() -> None:
    growing = GrowingText()
    told = [(0.101, "round 1"), (0.104, "round 2"), (0.2, "round 3"), (0.2, "round 4")]

    said = [growing.progress(replace(part(""), progress=share, note=note)) for share, note in told]

    assert said == ["10% round 1", "", "20% round 3", ""]
    assert growing.progress(part("text")) == ""
    assert growing.progress(replace(part("", attempt=2), progress=0.2)) == "20%"
    assert growing.progress(replace(part(""), note="reading")) == "reading"


def test_a_text_that_is_told_again_from_its_beginning_is_not_shown_twice() -> None:
    growing = GrowingText()

    shown = growing.take(part("Once")) + growing.take(part("Once upon")) + growing.take(part("On"))

    assert shown == "Once upon"


def test_another_attempt_begins_the_text_anew() -> None:
    growing = GrowingText()
    growing.take(part("Once upon"))

    shown = growing.take(part("There was", attempt=2)) + growing.take(part(" a", 9, attempt=1))

    assert shown == "There was"
    assert growing.rest("There was a lock") == " a lock"


def test_a_result_that_is_another_text_is_shown_whole() -> None:
    growing = GrowingText()
    growing.take(part("Once upon"))

    assert growing.rest("Twice") == "\nTwice"


def test_the_stand_ins_pieces_are_shown_and_then_how_the_task_ended(
    pointsman: CommandLine,
) -> None:
    shown = pointsman(
        "task", "submit", "generate", TEXT, "--stream", "--param", "pieces=5",
        "--param", "piece_delay_ms=40",
    )  # fmt: skip

    assert shown.stdout == f"{TEXT}\n"
    assert shown.stderr.splitlines()[-1] == "completed"


def test_programs_get_one_line_per_part_and_the_task_at_the_end(pointsman: CommandLine) -> None:
    shown = pointsman(
        "task", "submit", "generate", TEXT, "--stream", "-o", "jsonl", "--param", "pieces=5",
        "--param", "piece_delay_ms=100",
    )  # fmt: skip
    *parts, task = [json.loads(line) for line in shown.stdout.splitlines()]

    assert task["state"] == "completed"
    assert task["result_text"] == TEXT
    assert parts[-1]["outcome"] == "completed"
    assert "".join(each["text"] for each in parts) == TEXT
    assert {each["attempt"] for each in parts} == {1}


def test_a_task_without_pieces_shows_its_result(pointsman: CommandLine) -> None:
    shown = pointsman("task", "submit", "generate", TEXT, "--stream")

    assert shown.stdout == f"{TEXT}\n"


def test_whoever_interrupts_the_waiting_is_told_how_to_go_on(pointsman: CommandLine) -> None:
    command = (
        *POINTSMAN, "task", "submit", "generate", TEXT, "--stream", "--param", "pieces=30",
        "--param", "piece_delay_ms=1000", "--data", str(pointsman.data),
    )  # fmt: skip
    streaming = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert streaming.stdout is not None
    streaming.stdout.read(1)

    streaming.send_signal(signal.SIGINT)
    _, said = streaming.communicate(timeout=20)
    task = said.split()[1]
    cancelled = pointsman("task", "cancel", task)

    assert streaming.returncode == INTERRUPTED
    assert f"it goes on: pointsman task watch --data {pointsman.data} {task}" in said
    assert f"pointsman task cancel --data {pointsman.data} {task}" in said
    assert cancelled.returncode == ExitCode.OK

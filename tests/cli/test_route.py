"""`pointsman route`, and tasks that leave their family open."""

from tests.cli.command_line import CommandLine

ASKED = "Summarise the minutes of the meeting: what was decided?"


def test_a_task_without_a_family_gets_one_and_says_why(pointsman: CommandLine) -> None:
    shown = pointsman.json("task", "submit", "auto", ASKED, "--wait")

    task = shown["task"]
    sentences = " ".join(pointsman.json("task", "why", task)["sentences"])
    assert (shown["family"], shown["domain"], shown["band"]) == ("summarize", "meetings", "simple")
    assert "most like domain meetings" in sentences
    assert "It counts as simple" in sentences
    assert "as meetings" in pointsman("task", "get", task).stdout


def test_a_dry_run_says_the_same_and_queues_nothing(pointsman: CommandLine) -> None:
    before = len(pointsman.json("task", "ls", "--limit", "1000"))

    found = pointsman.json("route", ASKED)

    assert (found["family"], found["band"]) == ("summarize", "simple")
    assert found["route"]["chosen"]["domain"] == "meetings"
    assert found["judged"]["device"] == "fast"
    assert len(pointsman.json("task", "ls", "--limit", "1000")) == before


def test_a_dry_run_judges_a_task_of_a_family(pointsman: CommandLine) -> None:
    shown = pointsman("route", "Once upon", "--family", "generate", "--param", "max_tokens=3000")

    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["band", "complex"] in lines
    assert ["device", "powerful"] in lines
    assert ["tier", "quality"] in lines


def test_what_resembles_nothing_is_refused_with_what_to_do(pointsman: CommandLine) -> None:
    for command in (("route", "12345"), ("task", "submit", "auto", "12345")):
        done = pointsman(*command)

        assert done.returncode == 1
        assert "[family_unclear]" in done.stderr
        assert "model ls" in done.stderr

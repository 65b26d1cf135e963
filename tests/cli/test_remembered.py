"""Projects and conversations on the command line."""

import pytest
import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.moments import Moment, parse_moment
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import CommandLine


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, Moment()),
        ("0", Moment(position=0)),
        ("4711", Moment(position=4711)),
        ("2026-01-01T12:00:00Z", Moment(time=1_767_268_800.0)),
        ("2026-01-01 12:00", Moment(time=1_767_268_800.0)),
        ("2026-01-01T14:00:00.500+02:00", Moment(time=1_767_268_800.5)),
    ],
)
def test_a_moment_is_a_position_or_a_time(text: str | None, moment: Moment) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "-1", "yesterday", "٣", "1.5"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_moment(text)


def the_plan(pointsman: CommandLine) -> dict[str, object]:
    """Its row; other tests of the same stack have projects of their own."""
    rows = (row for row in pointsman.json("project", "ls") if row["project"] == "plan")
    nothing: dict[str, object] = {}
    return next(rows, nothing)


async def test_entries_of_a_project_are_shown_now_and_as_they_were(pointsman: CommandLine) -> None:
    pointsman.json("project", "decide", "plan", "--title", "Use NATS", "--reason", "Fast.")
    before = pointsman.json("project", "show", "plan")
    pointsman.json("project", "prefer", "plan", "tone", "short")

    now = pointsman.json("project", "show", "plan")
    past = pointsman.json("project", "show", "plan", "--at", str(before["position"]))
    await wait_until(lambda: the_plan(pointsman).get("preferences") == 1)
    row = the_plan(pointsman)
    words = pointsman("project", "show", "plan").stdout

    assert [(each["title"], each["text"]) for each in now["decisions"]] == [("Use NATS", "Fast.")]
    assert [(each["key"], each["text"]) for each in now["preferences"]] == [("tone", "short")]
    assert past["preferences"] == []
    assert (row["project"], row["decisions"]) == ("plan", 1)
    assert "Use NATS" in words
    assert pointsman.json("project", "ls", "--tenant", "globex") == []


async def test_a_conversation_and_the_context_of_a_task_are_shown(pointsman: CommandLine) -> None:
    submit = ("task", "submit", "summarize", "--tenant", "acme", "--conversation", "chat")
    pointsman.json(*submit, "One.", "--wait")
    second = pointsman.json(*submit, "Two.", "--wait")["task"]
    show = ("conversation", "show", "chat", "--tenant", "acme")
    await wait_until(lambda: len(pointsman.json(*show)["turns"]) == 2)

    shown = pointsman.json(*show, "--texts")
    context = pointsman.json("conversation", "context", second, "--texts")
    rows = pointsman.json("conversation", "ls", "--tenant", "acme")
    (row,) = (row for row in rows if row["conversation"] == "chat")
    words = pointsman("conversation", "context", second).stdout

    assert [turn["input_text"] for turn in shown["turns"]] == ["One.", "Two."]
    assert [item["turn"] for item in context["assembled"]["kept"]] == [1]
    assert context["text"].startswith("Earlier: One.\nAnswer: ")
    assert context["text"].endswith("\n\nTwo.")
    assert (row["conversation"], row["turns"]) == ("chat", 2)
    assert "tokens, relevance:" in words
    assert pointsman.json("conversation", "ls", "--tenant", "globex") == []


@pytest.mark.parametrize(
    "args",
    [
        ("project", "show", "a b"),
        ("project", "show", "plan", "--at", "yesterday"),
        ("project", "decide", "plan", "--title", "", "--reason", "x"),
        ("conversation", "ls", "--tenant", "Acme!"),
    ],
    ids=["name", "moment", "title", "tenant"],
)
def test_wrong_usage_is_refused_before_anything_is_sent(
    pointsman: CommandLine, args: tuple[str, ...]
) -> None:
    assert pointsman(*args).returncode == ExitCode.USAGE

"""Messages that were set aside, from a producer's bytes to the screen."""

import base64
from collections.abc import Iterator

import pytest

from pointsman.cli.commands.dead import columns_for
from pointsman.cli.failures import ExitCode
from pointsman.cli.output import Document
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import CommandLine, RunningUp, running_up

WIDTH = 120


async def publish(stack: RunningUp, body: bytes) -> None:
    account = stack.record["accounts"]["producer-default"]
    nc = await nats_client(
        stack.record["nats_url"],
        user=account["user"],
        password=account["password"],
        inbox_prefix=account["inbox_prefix"],
    )
    headers = {"Content-Type": "application/cloudevents+json", "X-Origin": "test"}
    await nc.jetstream().publish("pm.inbox.tasks.default", body, headers=headers)
    await nc.close()


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    with running_up(tmp_path_factory.mktemp("dead") / "data") as up:
        yield up


async def test_a_dead_letter_is_shown_with_headers_and_body(own_stack: RunningUp) -> None:
    pointsman = CommandLine(own_stack.data)
    for body in (b'{"specversion": ', b"\xff\x00"):
        await publish(own_stack, body)

    await wait_until(lambda: len(pointsman.json("dead", "ls")) == 2, timeout_s=20)
    binary, text = pointsman.json("dead", "ls")
    shown = pointsman.json("dead", "get", text["dead_letter"])
    coded = pointsman.json("dead", "get", binary["dead_letter"])
    words = pointsman("dead", "get", text["dead_letter"]).stdout
    table = pointsman("dead", "ls").stdout

    assert (shown["body_text"], shown["body_base64"]) == ('{"specversion": ', None)
    assert shown["headers"]["X-Origin"] == "test"
    assert base64.b64decode(coded["body_base64"]) == b"\xff\x00"
    assert words.endswith('body:\n{"specversion": \n')
    assert max(map(len, table.splitlines())) <= WIDTH


def test_a_task_is_no_dead_letter(pointsman: CommandLine) -> None:
    task = pointsman.json("task", "submit", "embed", "text")["task"]

    done = pointsman("dead", "get", task)

    assert done.returncode == ExitCode.NOT_FOUND
    assert f"pointsman dead ls --data {pointsman.data}" in done.stderr


def test_a_long_detail_is_cut_in_tables() -> None:
    row: Document = {"dead_letter": "x" * 36, "code": "malformed", "detail": "word " * 100}

    columns = columns_for([row])

    widths = [max(len(each.title), len(each.text(row))) for each in columns]
    assert sum(widths) + 2 * (len(columns) - 1) <= WIDTH
    assert columns[-1].text(row).endswith("…")

"""The demo: what it sends, and that it ends as it says."""

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cli.demo import producer
from pointsman.cli.demo.messages import CLASSES, FAMILIES, SPECIAL, TENANTS, Case, plan_messages
from pointsman.cli.demo.outcome import Outcome
from pointsman.cli.demo.texts import (
    MIN_CHARS,
    SourceText,
    TooFewTextsError,
    standard_library_texts,
)
from pointsman.cli.failures import ExitCode
from pointsman.contracts.cloudevents import parse
from pointsman.contracts.submission import SUBMIT_TYPE, submission_of
from pointsman.testing.servers import triton_here
from tests.cli.command_line import CommandLine


def texts(count: int) -> list[SourceText]:
    return [SourceText(f"module_{number}", f"text {number}") for number in range(count)]


def imported_by(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_sender_knows_nothing_of_our_code() -> None:
    packages = {name.partition(".")[0] for name in imported_by(Path(str(producer.__file__)))}

    assert packages - set(sys.stdlib_module_names) == {"nats"}


def test_the_texts_are_long_and_the_same_every_time() -> None:
    found = standard_library_texts(60)

    assert len({text.name for text in found}) == 60
    assert all(len(text.text) >= MIN_CHARS for text in found)
    assert found == standard_library_texts(60)


def test_too_few_texts_are_named(tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text('"""Too short."""')

    with pytest.raises(TooFewTextsError, match="0 long"):
        standard_library_texts(1, tmp_path)


@given(st.integers(min_value=0, max_value=200))
def test_the_plan_has_one_message_per_text_and_only_the_cases_that_fit(count: int) -> None:
    messages = plan_messages(texts(count), "run")

    special = [message.case for message in messages if message.case is not Case.ORDINARY]
    assert [message.number for message in messages] == list(range(count))
    assert special == list(SPECIAL[: max(0, count - 3)])
    ids = [message.event_id for message in messages]
    assert len(ids) - len(set(ids)) == special.count(Case.DUPLICATE)


def test_sixty_messages_cover_families_classes_and_tenants() -> None:
    messages = plan_messages(texts(60), "run")

    sent = {(m.tenant, m.data["family"], m.data["priority_class"]) for m in messages}

    assert len(sent) == len(FAMILIES) * len(CLASSES) * len(TENANTS)


def test_the_duplicate_is_the_same_task_in_another_message() -> None:
    messages = plan_messages(texts(60), "run")

    (duplicate,) = [message for message in messages if message.case is Case.DUPLICATE]

    first = messages[0]
    assert (duplicate.tenant, duplicate.event_id, duplicate.data) == (
        first.tenant,
        first.event_id,
        first.data,
    )
    assert duplicate.number != first.number


def test_what_the_sender_writes_is_a_cloud_event_that_we_take() -> None:
    message = plan_messages(texts(1), "run")[0]
    event = producer.cloud_event(message.event_id, "/demo", message.data)

    read = parse({"Content-Type": "application/cloudevents+json"}, json.dumps(event).encode())

    assert (read.id, read.type) == ("run-0", SUBMIT_TYPE)
    assert submission_of(read).text == "text 0"


@pytest.mark.parametrize(
    ("changed", "adds_up"),
    [
        ({}, True),
        ({"completed": 56}, False),
        ({"lost": 1}, False),
        ({"duplicate_results": 1}, False),
    ],
    ids=["as it should be", "one missing", "one lost", "one twice"],
)
def test_an_outcome_adds_up_only_when_every_message_came_to_one_end(
    changed: dict[str, int], *, adds_up: bool
) -> None:
    counts = {"submitted": 60, "completed": 57, "expired": 1, "rejected": 1, "duplicates": 1}
    rest = {"failed": 0, "lost": 0, "duplicate_results": 0, "events": 192}
    words = {"triton_version": None, "nats_version": "2.15.1", "why": "", "seconds": 1.0}

    outcome = Outcome(**{**counts, **rest, **words, **changed})  # pyright: ignore[reportArgumentType] - mixed values

    assert outcome.adds_up is adds_up


def test_a_small_demo_without_a_model_says_what_it_leaves_out(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("demo", "--noop", "--tasks", "5", "-o", "json")

    outcome = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == ExitCode.OK, done.stderr
    assert (outcome["submitted"], outcome["completed"]) == (5, 3)
    assert (outcome["expired"], outcome["duplicates"], outcome["rejected"]) == (1, 1, 0)
    assert outcome["triton_version"] is None
    assert "no room in 5 messages for: malformed" in done.stderr


def test_the_demo_of_the_services_is_a_command_below_it(tmp_path: Path) -> None:
    pointsman = CommandLine(tmp_path)

    plain, services = pointsman("demo", "--help"), pointsman("demo", "services", "--help")

    assert (plain.returncode, services.returncode) == (ExitCode.OK, ExitCode.OK)
    assert "--tasks" in plain.stdout
    assert "services  " in plain.stdout
    assert "--data" in services.stdout
    assert "--tasks" not in services.stdout


def test_options_of_the_plain_demo_are_not_swallowed_by_the_other(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("demo", "--noop", "services")

    assert done.returncode == ExitCode.USAGE
    assert "services takes no --noop" in done.stderr


@pytest.mark.triton
@pytest.mark.slow
def test_the_demo_on_real_triton_loses_nothing(tmp_path: Path) -> None:
    support = triton_here()
    if support.environment is None:
        pytest.skip(str(support))

    done = CommandLine(tmp_path)("demo", "-o", "json")

    (line,) = done.stdout.splitlines()
    outcome = json.loads(line)
    assert done.returncode == ExitCode.OK, done.stderr
    assert list(outcome) == [
        "submitted",
        "completed",
        "expired",
        "rejected",
        "duplicates",
        "failed",
        "lost",
        "duplicate_results",
        "events",
        "triton_version",
        "nats_version",
        "why",
        "seconds",
    ]
    ends = [outcome[end] for end in ("completed", "expired", "rejected", "duplicates", "failed")]
    assert ends == [57, 1, 1, 1, 0]
    assert (outcome["lost"], outcome["duplicate_results"]) == (0, 0)
    assert outcome["triton_version"]
    assert "granted to" in outcome["why"]

"""An operator at a stack whose models the leader chooses: loads, unloads, drains, pauses."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.cli.command_line import running_up
from tests.cli.in_process import Hand, log_as_before

WHY: Final = ("--reason", "a drill")
PATIENCE_S: Final = 30.0


def eventually(condition: Callable[[], bool]) -> None:
    """Ask until it holds; each question is a request to the stack, which takes its time."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until


def loaded(pointsman: Hand, device: str) -> list[str]:
    rows: list[dict[str, Any]] = pointsman.json("device", "ls")
    return next(row["variants"] for row in rows if row["device"] == device)


def ran(pointsman: Hand, *words: str) -> tuple[str, str]:
    """Device and variant of a task that completes."""
    done = pointsman.json("task", "submit", *words, "--wait", "--timeout", str(PATIENCE_S))
    return done["device"], done["variant"]


def test_an_operator_loads_drains_pauses_and_unloads(tmp_path: Path) -> None:
    dedicated = ("--mode", "dedicated", "--devices", "2", "--memory", "512")
    with running_up(tmp_path / "data", *dedicated) as up, log_as_before():
        pointsman = Hand(up.data)

        pointsman.json("model", "load", "summarize_tfidf", "--device", "noop-1", *WHY)
        eventually(lambda: loaded(pointsman, "noop-1") == ["summarize_tfidf"])
        pointsman.json("device", "drain", "noop-1", *WHY)
        elsewhere = ran(pointsman, "summarize", "Some text.", "--model", "summarize_tfidf")
        pointsman.json("pause", "model", "classify_linear", *WHY)
        smaller = ran(pointsman, "classify", "A good day.")
        pointsman.json("model", "unload", "summarize_tfidf", "--device", "noop-1", *WHY)
        eventually(lambda: not loaded(pointsman, "noop-1"))

        granted = pointsman.json("events", "ls", "--type", "device.residency_granted.v1")
        asked = [change for change in granted if change["data"].get("cause") == "operator"]

    assert elsewhere == ("noop-0", "summarize_tfidf")
    assert smaller == ("noop-0", "classify_lexicon")
    assert [(change["data"].get("load"), change["data"].get("unload")) for change in asked] == [
        ("summarize_tfidf", None),
        (None, ["summarize_tfidf"]),
    ]
    assert {change["data"]["reason"] for change in asked} == {"a drill"}
    assert all(change["data"]["by"].startswith("cli:") for change in asked)

"""A process that is armed dies at its point, at the hit that was named, and nowhere else."""

import signal
import subprocess
import sys

import pytest

from pointsman.runtime.crashpoints import CrashPoint, UnknownCrashPointError, arm, crashpoint
from pointsman.testing.servers import PROJECT

# Passes every point three times and says how far it came.
PASSING = """
import sys
from pointsman.runtime.crashpoints import CrashPoint, arm, crashpoint
arm(sys.argv[1], allowed=sys.argv[2] == "allowed")
for turn in (1, 2, 3):
    for point in CrashPoint:
        print("p", point, turn, flush=True)
        crashpoint(point)
"""


def passing(crash_at: str, allowed: str = "allowed") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PASSING, crash_at, allowed],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("hit", [1, 3])
def test_it_dies_as_by_kill_9_at_the_named_hit(hit: int) -> None:
    ended = passing(f"{CrashPoint.AFTER_INBOX_ACK}:{hit}")

    assert ended.returncode == -signal.SIGKILL
    passed = [line for line in ended.stdout.splitlines() if line.startswith("p ")]
    assert passed[-1] == f"p {CrashPoint.AFTER_INBOX_ACK} {hit}"


def test_it_says_so_when_it_is_armed_and_when_it_dies() -> None:
    said = passing(f"{CrashPoint.BEFORE_GRANT_SENT}:1").stdout

    assert "crash_point_armed" in said
    assert "this process will die" in said


@pytest.mark.parametrize(
    ("crash_at", "allowed"), [("", "allowed"), (f"{CrashPoint.BEFORE_RECEIPT}:1", "not allowed")]
)
def test_without_both_settings_nothing_happens(crash_at: str, allowed: str) -> None:
    ended = passing(crash_at, allowed)

    assert ended.returncode == 0
    assert ("crash_point_ignored" in ended.stdout) is bool(crash_at)


@pytest.mark.parametrize(
    "crash_at", ["somewhere:1", "before_receipt", "before_receipt:", "before_receipt:0", ":1"]
)
def test_a_point_that_nobody_knows_is_refused_with_those_there_are(crash_at: str) -> None:
    with pytest.raises(UnknownCrashPointError) as refused:
        arm(crash_at, allowed=True)

    assert refused.value.code == "unknown_crash_point"
    assert "before_receipt" in refused.value.next_step


def test_a_point_of_a_process_that_is_not_armed_does_nothing() -> None:
    for point in CrashPoint:
        crashpoint(point)


def test_every_point_stands_in_the_code_at_one_place() -> None:
    sources = [*PROJECT.glob("shared/src/**/*.py"), *PROJECT.glob("services/*/src/**/*.py")]
    code = "\n".join(source.read_text(encoding="utf-8") for source in sources)

    placed = {
        point.name: code.count(f"crashpoint(CrashPoint.{point.name})") for point in CrashPoint
    }

    assert placed == dict.fromkeys(placed, 1)

"""What a defect leaves in the log."""

import os
import subprocess
import sys

import pytest

SECRET = "never-to-be-shown"  # noqa: S105 - of nobody
PROGRAM = """
import os, sys
import structlog
from pointsman.runtime.logs import setup_logs

def defect():
    password = os.environ["SECRET"]
    raise RuntimeError("a defect")

setup_logs("test", style=sys.argv[1])
try:
    defect()
except RuntimeError:
    structlog.get_logger("test").exception("failed")
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_defect_is_shown_with_its_place_and_without_what_its_variables_held(style: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, style],
        env={**os.environ, "SECRET": SECRET},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "a defect" in done.stderr
    assert "in defect" in done.stderr or '"name": "defect"' in done.stderr
    assert SECRET not in done.stderr

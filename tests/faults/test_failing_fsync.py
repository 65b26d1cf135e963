"""A child process whose syncs fail on command."""

import subprocess
import sys
from pathlib import Path

from pointsman.testing.failing_fsync import FailingFsync

PROGRAM = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY))"


def syncs(path: Path, failing_fsync: FailingFsync) -> bool:
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, path],
        env=failing_fsync.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0 or "Input/output error" in child.stderr
    return child.returncode == 0


def test_syncs_of_named_files_fail_until_they_are_healed(
    tmp_path: Path, failing_fsync: FailingFsync
) -> None:
    journal, other = tmp_path / "journal", tmp_path / "other"

    failing_fsync.fail("journal")
    while_failing = syncs(journal, failing_fsync), syncs(other, failing_fsync)
    failing_fsync.heal()

    assert while_failing == (False, True)
    assert syncs(journal, failing_fsync)

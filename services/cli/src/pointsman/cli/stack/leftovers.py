"""Children that outlived a supervisor that was killed: they would write beside the new ones."""

import contextlib
from pathlib import Path
from typing import Final

import psutil

STACK_VARIABLE: Final = "POINTSMAN_STACK"
"""Marks every Python child with the data directory of its stack."""

_WAIT_S: Final = 5.0


def kill_leftover_children(data: Path) -> list[int]:
    """Kill what an earlier stack on this directory left; call with the directory claimed.

    Returns the process ids that were killed, when they are gone.
    """
    left: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(STACK_VARIABLE) == str(data) and _is_child(process):
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=_WAIT_S)
    return [process.pid for process in left]


def _is_child(process: psutil.Process) -> bool:
    command = process.cmdline()
    return "-m" in command and any(word.startswith("pointsman.") for word in command)

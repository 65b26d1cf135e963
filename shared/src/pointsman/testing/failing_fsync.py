"""`fsync` that fails with EIO in a child process, as a dying disk lets it (Linux, a C compiler)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

_ORDER: Final = "POINTSMAN_FAILING_FSYNC"


def failing_fsync_missing() -> str | None:
    """What keeps `FailingFsync` from working here; None: nothing does."""
    if not sys.platform.startswith("linux"):
        return "Linux"
    if _compiler() is None:
        return "a C compiler (cc)"
    return None


class FailingFsync:
    """A switch for children that are started with `environment`; its files lie in `folder`.

    Compiles the shim. Ask `failing_fsync_missing` before to skip. Programs that are linked
    statically, such as nats-server, do not notice it.
    """

    def __init__(self, folder: Path) -> None:
        self._order = folder / "failing_fsync"
        self._shim = folder / "failing_fsync.so"
        compiler = _compiler() or "cc"
        with as_file(files("pointsman.testing") / "failing_fsync.c") as source:
            subprocess.run(
                [compiler, "-shared", "-fPIC", "-O1", "-o", self._shim, source, "-ldl"],
                check=True,
                capture_output=True,
            )

    @property
    def environment(self) -> Mapping[str, str]:
        """This process's with what a child needs to hear the switch."""
        return {**os.environ, "LD_PRELOAD": str(self._shim), _ORDER: str(self._order)}

    def fail(self, part: str) -> None:
        """From now on for files whose path contains `part`."""
        new = self._order.with_suffix(".new")
        new.write_text(f"{part}\n", encoding="utf-8")
        new.replace(self._order)

    def heal(self) -> None:
        """As if the disk had been exchanged."""
        self._order.unlink(missing_ok=True)


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

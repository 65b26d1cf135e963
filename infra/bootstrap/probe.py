"""Answers two questions of ``./dev`` about the interpreter that runs this file.

``probe.py interpreter`` prints ``<rank> <path>`` (rank 3: can also run Triton, 2: supported,
1: supported, but newer than Triton's Python backend), or exits 1 with the reason on stdout.
``probe.py triton`` exits 0 where Triton's wheel can run, or exits 1 with what is missing.

Python 3.7 can run it as well, because it also has to tell an old interpreter that it is too old.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
import sysconfig
from pathlib import Path

MINIMUM = (3, 11)
# The Python backend in nvidia-pytriton is built for these two.
TRITON_VERSIONS = ((3, 11), (3, 12))
TRITON_GLIBC = (2, 35)
VERSION = tuple(sys.version_info[:2])


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def interpreter_problem() -> str | None:
    """Returns why this interpreter cannot carry the project, or None."""
    if VERSION < MINIMUM:
        return f"is Python {dotted(VERSION)}; {dotted(MINIMUM)} or newer is needed"
    if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
        return (
            "has no venv or ensurepip module; on Debian and Ubuntu: "
            f"apt install python{dotted(VERSION)}-venv"
        )
    return None


def shared_libpython() -> Path | None:
    """Returns this interpreter's shared libpython, or None where it was built without one."""
    name = str(sysconfig.get_config_var("INSTSONAME") or "")
    if not name.startswith("libpython") or ".so" not in name:
        return None
    multiarch = str(sysconfig.get_config_var("MULTIARCH") or "")
    folders = [Path(sys.base_prefix, "lib")]
    if sysconfig.get_config_var("LIBDIR"):
        folders.insert(0, Path(str(sysconfig.get_config_var("LIBDIR"))))
    paths = [folder / part / name for folder in folders for part in ("", multiarch)]
    return next((path for path in paths if path.is_file()), None)


def triton_problem() -> str | None:
    """Returns what Triton's wheel misses here, or None."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"it needs Linux on x86_64, this is {platform.system()} on {platform.machine()}"
    library, glibc = platform.libc_ver()
    if library != "glibc" or tuple(int(part) for part in glibc.split(".")[:2]) < TRITON_GLIBC:
        found = f"{library} {glibc}".strip() or "another C library"
        return f"it needs glibc {dotted(TRITON_GLIBC)} or newer, this is {found}"
    if VERSION not in TRITON_VERSIONS:
        return f"it needs Python 3.11 or 3.12, this is {dotted(VERSION)}"
    if shared_libpython() is None:
        return (
            f"{Path(sys.executable).resolve()} has no shared libpython; on Debian and Ubuntu: "
            f"apt install libpython{dotted(VERSION)}, "
            "with pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install"
        )
    return None


def rank() -> int:
    if triton_problem() is None:
        return 3
    return 2 if VERSION in TRITON_VERSIONS else 1


def main(question: str) -> int:
    if question == "triton":
        problem, answer = triton_problem(), "ok"
    else:
        problem, answer = interpreter_problem(), f"{rank()} {Path(sys.executable).resolve()}"
    print(problem or answer)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

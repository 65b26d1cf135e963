"""Whether a Triton environment can run here, and what of it the server needs."""

import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

OLDEST_GLIBC: Final = (2, 35)
NEWEST_NUMPY: Final = 1
PYTHONS: Final = ("3.11", "3.12")

_INSTALL: Final = (
    "Run `./dev setup`, or `uv venv .venv-triton` and `uv pip install --python"
    " .venv-triton/bin/python --no-deps --require-hashes -r infra/triton/requirements.lock`."
)
_ATTACH: Final = "Attach an existing server with `--triton grpc://host:port`."
_OTHER_PYTHON: Final = (
    f"Make .venv-triton with a Python {' or '.join(PYTHONS)} that has a shared libpython (Debian"
    " and Ubuntu: package libpython3.11 or libpython3.12; pyenv: --enable-shared; the builds of"
    " `uv python install` have it)."
)
_ASK_TIMEOUT_S: Final = 20

# Asked of the environment's own interpreter: ours may be another one. The library directory of a
# build that was moved after it was made is wrong in sysconfig, hence the second candidate.
_QUESTION: Final = """
import json, os, sys, sysconfig
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
name = sysconfig.get_config_var("INSTSONAME") or ""
candidates = [sysconfig.get_config_var("LIBDIR") or "", os.path.join(sys.base_prefix, "lib")]
json.dump({
    "python": "%d.%d" % sys.version_info[:2],
    "site": sysconfig.get_path("platlib"),
    "libpython": name,
    "libpython_directories": [
        d for d in candidates if ".so" in name and os.path.isfile(os.path.join(d, name))
    ],
    "numpy": version("numpy"),
    "nvidia_pytriton": version("nvidia-pytriton"),
}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class TritonEnvironment:
    """The parts of a virtual environment that hold a Triton server with its Python backend."""

    bin: Path
    site: Path
    python: str
    libpython_directory: Path

    @property
    def server(self) -> Path:
        return self.site / "pytriton" / "tritonserver" / "bin" / "tritonserver"

    @property
    def backend(self) -> Path:
        return self.site / "pytriton" / "tritonserver" / "backends" / "python"

    @property
    def stub(self) -> Path:
        stubs = self.site / "pytriton" / "tritonserver" / "python_backend_stubs"
        return stubs / self.python / "triton_python_backend_stub"

    @property
    def library_path(self) -> str:
        return f"{self.site / 'nvidia_pytriton.libs'}:{self.libpython_directory}"


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that keeps Triton from running here, and what to do about it."""

    what: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.what} {self.next_step}"


@dataclass(frozen=True, slots=True)
class TritonSupport:
    """Either the parts of a usable environment, or everything that is missing."""

    environment: TritonEnvironment | None
    missing: tuple[Missing, ...]

    @property
    def ok(self) -> bool:
        return self.environment is not None

    def __str__(self) -> str:
        return "\n".join(str(one) for one in self.missing) or "Triton can run here."


def triton_support(environment: Path) -> TritonSupport:
    """Look whether the Triton installed in the virtual environment at ``environment`` can run here.

    Asks that environment's interpreter (about 0.1 s, blocking); nothing is started or changed.
    """
    missing = list(_missing_of_platform())
    interpreter = environment.absolute() / "bin" / "python"
    if not os.access(interpreter, os.X_OK):
        missing.append(Missing(f"There is no Triton environment at {environment}.", _INSTALL))
        return TritonSupport(None, tuple(missing))
    facts = _ask(interpreter)
    if facts is None:
        missing.append(Missing(f"{interpreter} cannot be run.", _INSTALL))
        return TritonSupport(None, tuple(missing))
    missing.extend(_missing_of_interpreter(interpreter, facts))
    missing.extend(_missing_of_packages(interpreter, facts))
    if missing:
        return TritonSupport(None, tuple(missing))
    found = TritonEnvironment(
        bin=interpreter.parent,
        site=Path(str(facts["site"])),
        python=str(facts["python"]),
        libpython_directory=Path(cast("list[str]", facts["libpython_directories"])[0]),
    )
    missing.extend(
        Missing(f"{path} is missing.", _INSTALL)
        for path in (found.server, found.backend, found.stub)
        if not path.exists()
    )
    return TritonSupport(None if missing else found, tuple(missing))


def _missing_of_platform() -> list[Missing]:
    missing: list[Missing] = []
    if sys.platform != "linux" or platform.machine() != "x86_64":
        here = f"{platform.system()} {platform.machine()}"
        missing.append(
            Missing(f"The packaged Triton needs Linux on x86_64, this is {here}.", _ATTACH)
        )
        return missing
    library = " ".join(platform.libc_ver()).strip() or "no glibc"
    match = re.fullmatch(r"glibc (\d+)\.(\d+).*", library)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GLIBC:
        oldest = ".".join(map(str, OLDEST_GLIBC))
        missing.append(
            Missing(
                f"The packaged Triton needs glibc {oldest} or newer, this is {library}.", _ATTACH
            )
        )
    return missing


def _missing_of_interpreter(interpreter: Path, facts: dict[str, object]) -> list[Missing]:
    if facts["python"] not in PYTHONS:
        what = f"The packaged Triton has no stub for Python {facts['python']} of {interpreter}."
        return [Missing(what, f"{_OTHER_PYTHON} {_ATTACH}")]
    if not facts["libpython_directories"]:
        # Without it the server neither starts nor exits.
        what = f"{interpreter} has no shared libpython{facts['python']}."
        return [Missing(what, f"{_OTHER_PYTHON} {_ATTACH}")]
    return []


def _missing_of_packages(interpreter: Path, facts: dict[str, object]) -> list[Missing]:
    numpy = facts["numpy"]
    if facts["nvidia_pytriton"] is None:
        return [Missing(f"nvidia-pytriton is not installed for {interpreter}.", _INSTALL)]
    if numpy is None or int(str(numpy).split(".")[0]) > NEWEST_NUMPY:
        return [
            Missing(
                f"The packaged Triton needs numpy < 2, {interpreter} has {numpy or 'none'}.",
                _INSTALL,
            )
        ]
    return []


def _ask(interpreter: Path) -> dict[str, object] | None:
    try:
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", _QUESTION],
            capture_output=True,
            check=True,
            timeout=_ASK_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return cast("dict[str, object]", json.loads(answer.stdout))

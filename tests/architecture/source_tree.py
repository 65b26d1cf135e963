"""What the project consists of, as paths: the ground that the architecture tests stand on."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Time-machine and cli speak for people and have no handlers.
SERVICES = sorted(
    path
    for path in (ROOT / "services").iterdir()
    if path.is_dir() and path.name not in {"cli", "time-machine"}
)
SHARED = sorted(
    path
    for path in (ROOT / "shared/src/pointsman").iterdir()
    if path.is_dir() and path.name != "__pycache__"
)
SOURCE_ROOTS = sorted(ROOT.glob("shared/src")) + sorted(ROOT.glob("services/*/src"))

_TEXT_SUFFIXES = {".md", ".py", ".sql", ".toml", ".txt", ".yaml", ".yml", ".pbtxt", ".json", ".sh"}
_TEXT_NAMES = {"dev", "run", "Dockerfile"}
_FOLDERS = (".ci", ".github", "docs", "infra", "services", "shared", "tests")


def package_of(service: Path) -> Path:
    """Returns the package folder of a service folder (``resource-monitor``'s is underscored)."""
    return service / "src" / "pointsman" / service.name.replace("-", "_")


def text_files() -> Iterator[Path]:
    """Yields every file that people write: sources, tests, pages, settings, scripts."""
    candidates = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in _FOLDERS:
        candidates += (ROOT / folder).rglob("*")
    for path in sorted(candidates):
        named_as_text = path.suffix in _TEXT_SUFFIXES or path.name in _TEXT_NAMES
        if named_as_text and path.is_file() and "__pycache__" not in path.parts:
            yield path


def python_files() -> Iterator[Path]:
    return (path for path in text_files() if path.suffix == ".py")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))

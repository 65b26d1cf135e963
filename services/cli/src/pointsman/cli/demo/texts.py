"""Real texts without a download: long documentation strings of Python's standard library."""

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Final

MIN_CHARS: Final = 400

# Enough for variety without parsing the whole library.
_PER_MODULE: Final = 2
_LEFT_OUT: Final = ("test", "idlelib", "lib2to3", "site-packages", "dist-packages")

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class TooFewTextsError(Exception):
    """The standard library here has no sources, or too few of them."""

    code = "too_few_texts"

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"the standard library here has {found} long documentation strings, {wanted} are "
            "needed: install its sources, or run fewer tasks"
        )


@dataclass(frozen=True, slots=True)
class SourceText:
    """A documentation string and the dotted name of what it documents."""

    name: str
    text: str


def standard_library_texts(count: int, library: Path | None = None) -> list[SourceText]:
    """The first `count` texts of at least `MIN_CHARS`, by module and place; the same every time.

    Raises `TooFewTextsError`.
    """
    root = library or Path(sysconfig.get_path("stdlib"))
    found: list[SourceText] = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if len(found) >= count:
            break
        if not any(part.startswith(_LEFT_OUT) for part in parts):
            found += _texts_of(path, ".".join(parts).removesuffix(".py"))
    if len(found) < count:
        raise TooFewTextsError(len(found), count)
    return found[:count]


def _texts_of(path: Path, module: str) -> list[SourceText]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # A file that this interpreter does not read documents nothing.
        return []
    texts: list[SourceText] = []
    for name, node in _documented(tree, module.removesuffix(".__init__")):
        text = cleandoc(ast.get_docstring(node, clean=False) or "")
        if len(text) >= MIN_CHARS and len(texts) < _PER_MODULE:
            texts.append(SourceText(name, text))
    return texts


def _documented(node: _Documented, name: str) -> Iterator[tuple[str, _Documented]]:
    yield name, node
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _documented(child, f"{name}.{child.name}")

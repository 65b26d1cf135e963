"""Files and functions stay small; what is larger is listed in sizes.toml and may only shrink."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, parse, python_files, relative

FILE_LINES = 300
FUNCTION_LINES = 40
EXCEPTIONS = Path(__file__).with_name("sizes.toml")

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


def function_lines(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yields each function's name and length, from ``def`` to its last line.

    Lines of a function inside another one count for the inner one only: ``build_router`` is as long
    as what it does itself.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (*type_of_function, ast.ClassDef)):
            inner = list(function_lines(node, f"{prefix}{node.name}."))
            yield from inner
            if isinstance(node, type_of_function):
                whole = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{prefix}{node.name}", whole - sum(lines for _, lines in inner)
        else:
            yield from function_lines(node, prefix)


def oversized(sources: Mapping[str, str]) -> dict[str, int]:
    """Returns what is above the limits: ``path`` or ``path::function`` with its lines."""
    found: dict[str, int] = {}
    for path, text in sources.items():
        lines = len(text.splitlines())
        if lines > FILE_LINES:
            found[path] = lines
        for name, length in function_lines(ast.parse(text)):
            if length > FUNCTION_LINES:
                found[f"{path}::{name}"] = length
    return found


def disagreements(measured: Mapping[str, int], listed: Mapping[str, int]) -> list[str]:
    """Returns what has to be done, one sentence for each entry that is not as it should be."""
    found = [
        f"{name}: {lines} lines; split it (limits: file {FILE_LINES}, function {FUNCTION_LINES})"
        for name, lines in measured.items()
        if lines > listed.get(name, 0)
    ]
    for name, lines in listed.items():
        actual = measured.get(name, 0)
        if actual == 0:
            found.append(f"{name}: no longer needs its entry in sizes.toml; remove it")
        elif actual < lines:
            found.append(f"{name}: shrank to {actual} lines; write that into sizes.toml")
    return found


def test_files_and_functions_are_small_or_listed() -> None:
    exceptions = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))
    sources = {relative(path): path.read_text(encoding="utf-8") for path in python_files()}

    listed = {name: int(entry["lines"]) for name, entry in exceptions.items()}
    found = disagreements(oversized(sources), listed)

    assert not found, "\n".join(found)
    assert all(entry["reason"].strip(" .") for entry in exceptions.values())


def test_every_python_file_parses() -> None:
    paths = list(python_files())

    assert ROOT / "infra/bootstrap/probe.py" in paths
    assert all(parse(path) for path in paths)


def test_a_long_function_is_found_by_its_qualified_name() -> None:
    body = "\n".join(["        pass"] * FUNCTION_LINES)

    found = oversized({"a.py": f"class Queue:\n    def drain(self):\n{body}\n"})

    assert found == {"a.py::Queue.drain": FUNCTION_LINES + 1}


def test_the_lines_of_an_inner_function_count_once() -> None:
    inner = "\n".join(["        pass"] * (FUNCTION_LINES - 1))

    found = oversized(
        {"a.py": f"def build_router():\n    def submit():\n{inner}\n    return submit\n"}
    )

    assert found == {}


@pytest.mark.parametrize(
    ("measured", "listed", "sentence"),
    [
        ({"a.py": 301}, {}, "split it"),
        ({"a.py": 320}, {"a.py": 310}, "split it"),
        ({"a.py": 305}, {"a.py": 310}, "shrank to 305"),
        ({}, {"a.py": 310}, "no longer needs"),
    ],
    ids=["unlisted", "grown", "shrunk", "gone"],
)
def test_the_list_of_exceptions_may_only_shrink(
    measured: dict[str, int], listed: dict[str, int], sentence: str
) -> None:
    (found,) = disagreements(measured, listed)

    assert sentence in found

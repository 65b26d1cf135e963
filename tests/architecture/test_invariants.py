"""The page of invariants names tests that exist, for every one of them."""

import ast
import re
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT, parse

PAGE: Final = ROOT / "docs/invariants.md"
ROW: Final = re.compile(r"^\| (\d+) \| .*$", re.MULTILINE)
TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
COUNT: Final = 16


def names_in(path: str) -> set[str]:
    """What a test module defines at its top: tests, and state machines as test cases."""
    names: set[str] = set()
    for node in parse(ROOT / path).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def named_tests() -> list[tuple[str, str]]:
    return sorted(set(TEST.findall(PAGE.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("path", "name"), named_tests())
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), f"docs/invariants.md names {path}, which is not there"
    assert name in names_in(path), f"docs/invariants.md names {name}, which is not in {path}"


def test_every_invariant_has_a_row_with_a_test() -> None:
    rows = list(ROW.finditer(PAGE.read_text(encoding="utf-8")))

    assert [int(row[1]) for row in rows] == list(range(1, COUNT + 1))
    assert all(TEST.search(row[0]) for row in rows)

"""Names that say nothing, work that is not finished, and tests that wait by the clock."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import ROOT, parse, python_files, relative, text_files

# Written in two parts, so that this file does not find itself.
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
EMPTY_MODULE_WORDS = {"base", "common", "core", "helpers", "managers", "misc", "models", "utils"}
EMPTY_CLASS_WORDS = ("Manager", "Processor", "Handler", "Helper", "Helpers", "Utils", "Misc")


def module_words(path: str) -> set[str]:
    """Returns the last words of a module's name and of the packages above it."""
    parts = path.removesuffix(".py").split("/")
    inside = parts[parts.index("pointsman") + 1 :] if "pointsman" in parts else parts
    return {part.rsplit("_", 1)[-1] for part in inside}


def sleeps(tree: ast.AST) -> Iterator[int]:
    """Yields the line of each call that waits for a time instead of a fact."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "sleep" or name.endswith((".sleep", ".sleep_until")):
                yield node.lineno


def test_modules_are_named_after_their_subject() -> None:
    paths = [relative(path) for path in python_files()]
    # Triton's word for what it serves.
    own = [path for path in paths if not path.startswith("infra/triton/models/")]

    assert [path for path in own if module_words(path) & EMPTY_MODULE_WORDS] == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("shared/src/pointsman/runtime/nats_utils.py", {"utils"}),
        ("services/cli/src/pointsman/cli/common/clock.py", {"common"}),
        ("shared/src/pointsman/runtime/broker.py", set[str]()),
    ],
)
def test_an_empty_module_word_is_found_anywhere_in_the_path(path: str, words: set[str]) -> None:
    assert module_words(path) & EMPTY_MODULE_WORDS == words


def test_classes_are_named_after_what_they_are() -> None:
    found = [
        f"{relative(path)}: {node.name}"
        for path in python_files()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(EMPTY_CLASS_WORDS)
    ]

    assert not found, "\n".join(found)


def test_tests_wait_for_facts_and_never_for_a_time() -> None:
    found = [
        f"{relative(path)}:{line}"
        for path in python_files()
        if path.is_relative_to(ROOT / "tests")
        for line in sleeps(parse(path))
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("call", ["time.sleep(1)", "asyncio.sleep(0.1)", "sleep(2)"])
def test_a_sleep_is_found_however_it_was_imported(call: str) -> None:
    assert list(sleeps(ast.parse(call))) == [1]


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{relative(path)}: {word}"
        for path in text_files()
        for word in UNFINISHED
        if word in path.read_text(encoding="utf-8")
    ]

    assert not found, "\n".join(found)

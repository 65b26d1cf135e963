"""A gate has few holes, and every hole has its reason beside it."""

import io
import re
import tokenize
import tomllib

import pytest

from tests.architecture.source_tree import ROOT, python_files, relative

TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)
# A reason is more than one word.
REASON = r"\s*(?:#|-)\s*\S+(?:\s+\S+)+"
SUPPRESSION = re.compile(r"(?:noqa|type: ignore|pyright: ignore|pragma: no cover)\b")
REASONED = re.compile(r"(?:noqa: [A-Z0-9, ]+?|pyright: ignore\[[\w, ]+\])" + REASON)


def ruff_exceptions() -> list[str]:
    lint = PROJECT["tool"]["ruff"]["lint"]
    per_file = [code for codes in lint["per-file-ignores"].values() for code in codes]
    return [*lint["ignore"], *per_file]


def eased_type_rules() -> list[str]:
    rules = PROJECT["tool"]["basedpyright"]
    return [name for name, value in rules.items() if name.startswith("report") and value is False]


def accepted_warnings() -> list[str]:
    (first, *accepted) = PROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"]
    assert first == "error"
    return accepted


def reasoned(entry: str) -> bool:
    """Whether each line of pyproject.toml that starts with this entry ends with a reason."""
    lines = re.findall(
        rf'^\s*["\']?{re.escape(entry)}["\']?(?:,| = false)(.*)$', TEXT, re.MULTILINE
    )
    return bool(lines) and all(re.fullmatch(REASON, rest) for rest in lines)


def suppressions(source: str) -> list[str]:
    """Returns the comments that switch a gate off for their line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return [comment for comment in comments if SUPPRESSION.search(comment)]


@pytest.mark.parametrize("code", ruff_exceptions())
def test_every_ignored_ruff_rule_has_its_reason(code: str) -> None:
    assert reasoned(code)


@pytest.mark.parametrize("rule", eased_type_rules())
def test_every_eased_type_rule_has_its_reason(rule: str) -> None:
    assert reasoned(rule)


def test_every_accepted_warning_has_its_reason() -> None:
    assert [warning for warning in accepted_warnings() if not reasoned(warning)] == []


def test_a_rule_without_a_reason_is_found() -> None:
    assert not reasoned("ALL")
    assert not reasoned("E999")


def test_the_gates_are_shut() -> None:
    assert PROJECT["tool"]["ruff"]["lint"]["select"] == ["ALL"]
    assert PROJECT["tool"]["basedpyright"]["typeCheckingMode"] == "strict"
    assert {"shared/src", "services", "tests"} <= set(PROJECT["tool"]["basedpyright"]["include"])


def test_every_suppression_in_the_code_has_its_reason() -> None:
    found = [
        f"{relative(path)}: {comment}"
        for path in python_files()
        for comment in suppressions(path.read_text(encoding="utf-8"))
        if not REASONED.search(comment)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("comment", "good"),
    [
        ("# noqa: S310 - the address is always loopback", True),
        ("# pyright: ignore[reportPrivateUsage]  # grpc has no public name", True),
        ("# noqa: S310", False),
        ("# noqa", False),
        ("# type: ignore", False),
    ],
)
def test_a_reason_stands_behind_the_rule(comment: str, *, good: bool) -> None:
    (found,) = suppressions(f"x = 1  {comment}\n")

    assert bool(REASONED.search(found)) is good

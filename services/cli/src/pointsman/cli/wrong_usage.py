"""What the parser of arguments refuses, said like every other refusal."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, cast

import typer

from pointsman.cli.failures import CommandError, InvalidOptionError
from pointsman.cli.output import OutputFormat

_HELP: Final = "Usage: "
_OUTPUT: Final = re.compile(r"(?:-o|--output)(?:=?(\w+))?", re.ASCII)
_FORMATS: Final = {each.value: each for each in OutputFormat}
_WORDS: Final = (
    (re.compile(r"^Invalid value: "), ""),
    (re.compile(r"^Invalid(?= )"), "invalid"),
    (re.compile(r"^Missing(?= )"), "missing"),
    (re.compile(r"^No(?= such )"), "no"),
    (re.compile(r"\(Possible options: (.*)\)$"), r"(is one of these meant: \1?)"),
    (re.compile(r"Value error, "), ""),
    (re.compile(r"Input should be "), "it must be "),
    (re.compile(r"^Got unexpected extra argument\(s\) \((.*)\)$"), r"too many arguments: \1"),
)


def help_of(error: typer.TyperException) -> str | None:
    """The help page, where a command was given without anything that it could do."""
    return error.message if error.message.startswith(_HELP) else None


def wrong_usage(error: typer.TyperException) -> CommandError:
    """The same refusal with a code and a next step that can be typed."""
    words = error.format_message().removesuffix(".")
    for pattern, instead in _WORDS:
        words = pattern.sub(instead, words)
    context = cast("typer.Context | None", getattr(error, "ctx", None))
    command = "pointsman" if context is None else context.command_path
    return InvalidOptionError(words, f"see {command} --help")


def asked_output(words: Sequence[str]) -> OutputFormat:
    """The format that a command line asks for, as far as it can be told without parsing it."""
    for word, following in pairwise((*words, "")):
        found = _OUTPUT.fullmatch(word)
        if found is not None:
            return _FORMATS.get(found[1] or following, OutputFormat.TABLE)
    return OutputFormat.TABLE

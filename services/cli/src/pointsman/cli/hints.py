"""Advice that can be typed as it is printed."""

import re
from pathlib import Path
from shlex import quote
from typing import Final

from pointsman.cli.options import DEFAULT_DATA

_COMMAND: Final = re.compile(
    r"pointsman (?:up|doctor|state|snapshot|verify|replay|route|"
    r"(?:task|schedule|events|dead|model|device|log|pause|resume|tenant|pool|policy|alert|"
    r"degradation|feedback|project|conversation) [a-z-]+)\b"
)


def data_flag(data: Path) -> str:
    """How a command is told of a data directory: empty for the default, else with a space ahead."""
    return "" if data.absolute() == DEFAULT_DATA.absolute() else f" --data {quote(str(data))}"


def at_data(advice: str, data: Path) -> str:
    """`advice` with the data directory in every command that it names."""
    if "--data" in advice:
        return advice
    return _COMMAND.sub(lambda found: found[0] + data_flag(data), advice)

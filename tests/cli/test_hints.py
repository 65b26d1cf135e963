"""Advice can be typed as it is printed."""

from pathlib import Path

import pytest

from pointsman.cli.hints import at_data
from pointsman.cli.options import DEFAULT_DATA

OTHER = Path("/srv/stack")


@pytest.mark.parametrize(
    ("advice", "typed"),
    [
        ("it goes on: pointsman task watch ID", "it goes on: pointsman task watch --data {} ID"),
        (
            "`pointsman log archive --before TIME` makes it smaller",
            "`pointsman log archive --data {} --before TIME` makes it smaller",
        ),
        ("`pointsman dead ls` shows them", "`pointsman dead ls --data {}` shows them"),
        (
            "read the log, or run pointsman doctor",
            "read the log, or run pointsman doctor --data {}",
        ),
        ("`pointsman feedback ls` shows them", "`pointsman feedback ls --data {}` shows them"),
        ("Run `pointsman verify`: it says", "Run `pointsman verify --data {}`: it says"),
        ("pointsman up --data /elsewhere", "pointsman up --data /elsewhere"),
        ("send less", "send less"),
    ],
)
def test_commands_name_the_directory_unless_it_is_the_default(advice: str, typed: str) -> None:
    assert at_data(advice, OTHER) == typed.format(OTHER)
    assert at_data(advice, DEFAULT_DATA) == advice


def test_a_directory_with_a_space_can_be_pasted() -> None:
    assert at_data("see `pointsman task ls`", Path("/srv/my data")) == (
        "see `pointsman task ls --data '/srv/my data'`"
    )

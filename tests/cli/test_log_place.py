"""A data directory remembers where its log is, and no start begins an empty one elsewhere."""

import json
from itertools import permutations
from pathlib import Path

import pytest

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.database import given_postgresql
from pointsman.cli.stack.log_place import OWN_POSTGRESQL, SQLITE, LogPlace

GIVEN = given_postgresql("postgresql://pm:secret@db.example:5432/log")
OTHER = given_postgresql("postgresql://pm:secret@other.example/log")


def used_on(data: Path, place: LogPlace) -> None:
    directory = DataDirectory(data, place)
    directory.remember_log()
    directory.release()


@pytest.mark.parametrize(
    ("was", "asked"), list(permutations([SQLITE, OWN_POSTGRESQL, GIVEN, OTHER], 2)), ids=str
)
def test_a_start_on_another_place_is_refused_with_the_way_back(
    tmp_path: Path, was: LogPlace, asked: LogPlace
) -> None:
    used_on(tmp_path, was)

    with pytest.raises(CommandError) as refusal:
        DataDirectory(tmp_path, asked)

    assert (refusal.value.code, refusal.value.exit_code) == ("log_elsewhere", ExitCode.CONFLICT)
    assert was.options in refusal.value.next_step
    assert "secret" not in refusal.value.message + refusal.value.next_step


@pytest.mark.parametrize("place", [SQLITE, OWN_POSTGRESQL, GIVEN], ids=str)
def test_a_start_on_the_same_place_goes_on(tmp_path: Path, place: LogPlace) -> None:
    used_on(tmp_path, place)

    used_on(tmp_path, place)


def test_a_place_that_never_held_a_log_is_not_remembered(tmp_path: Path) -> None:
    DataDirectory(tmp_path, GIVEN).release()

    DataDirectory(tmp_path, SQLITE).release()


def test_a_directory_of_the_first_release_is_on_sqlite(tmp_path: Path) -> None:
    (tmp_path / "layout.json").write_text('{"layout": 1, "pointsman": "0.1.0"}')

    DataDirectory(tmp_path, SQLITE).release()


def test_earlier_releases_go_on_with_sqlite_and_refuse_what_they_do_not_know(
    tmp_path: Path,
) -> None:
    used_on(tmp_path / "sqlite", SQLITE)
    used_on(tmp_path / "postgresql", OWN_POSTGRESQL)

    layouts = [
        json.loads((tmp_path / name / "layout.json").read_text())["layout"]
        for name in ("sqlite", "postgresql")
    ]

    assert layouts == [1, 2]


@pytest.mark.parametrize("text", ["[]", '"1"', "null", "1", "{", "\x00"])
def test_a_mark_that_is_damaged_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "layout.json").write_text(text)

    with pytest.raises(CommandError) as refusal:
        DataDirectory(tmp_path)

    assert refusal.value.code == "data_directory_unusable"
    assert "--data" in refusal.value.next_step


@pytest.mark.parametrize("layout", ["{}", '{"layout": "1"}', '{"layout": 99}', '{"layout": null}'])
def test_a_mark_that_only_a_newer_release_can_read_is_refused(tmp_path: Path, layout: str) -> None:
    (tmp_path / "layout.json").write_text(layout)

    with pytest.raises(CommandError) as refusal:
        DataDirectory(tmp_path)

    assert refusal.value.code == "directory_newer"

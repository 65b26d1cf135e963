"""One stack per directory, and no older release on a newer one."""

import json
import stat
from pathlib import Path

import pytest

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.accounts import new_accounts
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.log_place import LAYOUT
from pointsman.cli.stack.record import (
    NAME,
    DeviceRecord,
    PartRecord,
    StackRecord,
    UnreadableRecordError,
    read_record,
    remove_record,
    write_record,
)


def record(data: Path) -> StackRecord:
    return StackRecord(
        pointsman="1.0",
        python="3.11",
        pid=42,
        data=data,
        pool="main",
        started_at=1.5,
        ready=True,
        nats_url="nats://127.0.0.1:1",
        nats_version="2.15.1",
        accounts=new_accounts(["executor-1"], ["acme"]),
        devices=(DeviceRecord("cpu-0", "grpc://127.0.0.1:2", "triton", "2.51.0"),),
        parts={"nats": PartRecord(43, 1, "nats.log")},
    )


def test_a_directory_in_use_is_refused_until_it_is_released(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path / "data")

    with pytest.raises(CommandError) as refusal:
        DataDirectory(tmp_path / "data")

    assert (refusal.value.code, refusal.value.exit_code) == ("directory_in_use", ExitCode.CONFLICT)
    first.release()
    DataDirectory(tmp_path / "data").release()


def test_a_directory_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    mark = tmp_path / "layout.json"
    mark.write_text(json.dumps({"layout": LAYOUT + 1, "pointsman": "9.9"}))

    with pytest.raises(CommandError, match=r"9\.9") as refusal:
        DataDirectory(tmp_path)

    assert refusal.value.code == "directory_newer"
    assert json.loads(mark.read_text())["layout"] == LAYOUT + 1
    assert not (tmp_path / "logs").exists()


def test_a_directory_that_was_refused_is_not_held(tmp_path: Path) -> None:
    mark = tmp_path / "layout.json"
    mark.write_text(json.dumps({"layout": LAYOUT + 1, "pointsman": "9.9"}))
    with pytest.raises(CommandError):
        DataDirectory(tmp_path)

    mark.unlink()

    DataDirectory(tmp_path).release()


def test_a_directory_that_was_there_becomes_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    DataDirectory(tmp_path).release()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == stat.S_IRWXU


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    for path in (file, file / "below"):
        with pytest.raises(CommandError) as refusal:
            DataDirectory(path)
        assert refusal.value.code == "data_directory_unusable"
        assert "--data" in refusal.value.next_step


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = record(tmp_path)

    write_record(written)

    assert read_record(tmp_path) == written


def test_the_record_tells_each_account_where_its_answers_arrive(tmp_path: Path) -> None:
    written = record(tmp_path)
    write_record(written)

    accounts = json.loads((tmp_path / NAME).read_text())["accounts"]

    assert {name: account["inbox_prefix"] for name, account in accounts.items()} == {
        name: account.inbox_prefix for name, account in written.accounts.items()
    }


def test_only_the_owner_may_read_the_record(tmp_path: Path) -> None:
    write_record(record(tmp_path))
    write_record(record(tmp_path))

    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_no_record_means_no_stack(tmp_path: Path) -> None:
    write_record(record(tmp_path))

    remove_record(tmp_path)

    assert read_record(tmp_path) is None
    remove_record(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 99}', "[]", "not json"])
def test_a_damaged_or_newer_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)

    with pytest.raises(UnreadableRecordError, match=NAME):
        read_record(tmp_path)

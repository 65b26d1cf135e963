"""`stack.json`: what a running stack tells its clients; it holds passwords."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from pointsman.cli.failures import why_not
from pointsman.cli.stack.accounts import Account
from pointsman.cli.stack.plan import POOL, DeviceKind

NAME: Final = "stack.json"
FORMAT: Final = 1


class UnreadableRecordError(Exception):
    """The file is damaged or of a newer Pointsman; `path` names it."""

    code = "stack_record_unreadable"

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path} cannot be read: {detail}")
        self.path = path


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device of the stack; `version` is that of its Triton, None if it was not asked."""

    device: str
    endpoint: str
    kind: DeviceKind
    version: str | None = None
    metrics: str | None = None
    """Where its Triton shows its metrics, None if that is not known."""
    pool: str = POOL


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A child process; `starts` counts from 1."""

    pid: int
    starts: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """A stack as it stands now; written again whenever a part is started again."""

    format: int = FORMAT
    pointsman: str
    python: str
    pid: int
    """Of the supervisor."""
    data: Path
    pool: str
    """The first of the group, which commands mean that name none."""
    further_pools: tuple[str, ...] = ()
    started_at: float
    ready: bool
    nats_url: str
    nats_version: str
    database_url: str = field(default="", repr=False)
    """Of the stack's own PostgreSQL; empty: the log is a SQLite file, or where it was given."""
    accounts: Mapping[str, Account]
    devices: tuple[DeviceRecord, ...] = ()
    parts: Mapping[str, PartRecord]

    @property
    def pools(self) -> tuple[str, ...]:
        """All pools of the group."""
        return (self.pool, *self.further_pools)

    @property
    def triton_version(self) -> str | None:
        """Of the first device that runs one."""
        return next((device.version for device in self.devices if device.version), None)


def write_record(record: StackRecord) -> None:
    """Replace the file at once, readable by its owner only."""
    document = asdict(record)
    document["data"] = str(record.data)
    document["accounts"] = {
        name: {**asdict(account), "inbox_prefix": account.inbox_prefix}
        for name, account in record.accounts.items()
    }
    path = record.data / NAME
    new = path.with_name(f"{NAME}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    new.replace(path)


def read_record(data: Path) -> StackRecord | None:
    """The record in a data directory, None without one; raises `UnreadableRecordError`."""
    path = data / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableRecordError(path, why_not(error, named=path)) from error
    try:
        return _record(cast("dict[str, Any]", json.loads(text)))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableRecordError(path, repr(error)) from error


def remove_record(data: Path) -> None:
    """Say that no stack runs there."""
    (data / NAME).unlink(missing_ok=True)


def _record(document: dict[str, Any]) -> StackRecord:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}, this Pointsman reads {FORMAT}")
    document["data"] = Path(document["data"])
    document["further_pools"] = tuple(document.get("further_pools", ()))
    document["accounts"] = {
        name: Account(account["user"], account["password"])
        for name, account in document["accounts"].items()
    }
    document["devices"] = tuple(DeviceRecord(**device) for device in document["devices"])
    document["parts"] = {name: PartRecord(**part) for name, part in document["parts"].items()}
    return StackRecord(**document)

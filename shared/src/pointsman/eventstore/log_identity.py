"""Which life of a log this is, and from which earlier one it was restored.

A restore to an earlier time begins another incarnation: what the bus, views and snapshots still
hold of the life before is then recognised instead of believed.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from pointsman.contracts.queries import Ancestor
from pointsman.runtime import durable_sqlite

INCARNATION: Final = "incarnation"
ANCESTORS: Final = "ancestors"
"""Keys of `log_meta`."""


class LogIdentity(msgspec.Struct, frozen=True):
    """The present life first, then the lives that it stands on, latest first."""

    incarnation: str
    ancestors: tuple[Ancestor, ...] = ()

    def shared_with(self, incarnation: str) -> int | None:
        """Up to which position another life tells the same story; None: it is no ancestor."""
        shared: int | None = None
        for ancestor in self.ancestors:
            shared = ancestor.position if shared is None else min(shared, ancestor.position)
            if ancestor.incarnation == incarnation:
                return shared
        return None

    def restored(self, incarnation: str, position: int) -> "LogIdentity":
        """The life that begins when this one is cut behind `position`."""
        return LogIdentity(incarnation, (Ancestor(self.incarnation, position), *self.ancestors))


def identity_of(meta: dict[str, str]) -> LogIdentity:
    """From the rows of `log_meta`; raises `KeyError` and `msgspec.MsgspecError`."""
    ancestors = msgspec.json.decode(meta.get(ANCESTORS, "[]"), type=tuple[Ancestor, ...])
    return LogIdentity(meta[INCARNATION], ancestors)


def meta_of(identity: LogIdentity) -> dict[str, str]:
    """The rows of `log_meta` that say so."""
    ancestors = msgspec.json.encode(identity.ancestors).decode()
    return {INCARNATION: identity.incarnation, ANCESTORS: ancestors}


def read_identity(path: Path) -> LogIdentity:
    """Of a SQLite log; raises `sqlite3.Error` besides."""
    with closing(durable_sqlite.connect_reader(path)) as log:
        return identity_of(dict(log.execute("SELECT key, value FROM log_meta")))


def write_identity(log: sqlite3.Connection, identity: LogIdentity) -> None:
    """Inside the caller's transaction."""
    log.executemany("INSERT OR REPLACE INTO log_meta VALUES (?, ?)", meta_of(identity).items())

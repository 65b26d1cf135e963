"""The log: its port, its SQLite store and the aggregates that live in it."""

from pointsman.eventstore.aggregates import AggregateTopics, Repository
from pointsman.eventstore.log_reader import LogUnreadableError, SqliteLogReader
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Appended,
    Command,
    CommitListener,
    Committed,
    DuplicateCommand,
    EventIdInUseError,
    EventStore,
    FeedFloor,
    Fenced,
    Leadership,
    LogInUseError,
    LogReader,
    LogUnavailableError,
    NewEvent,
    VersionConflict,
)
from pointsman.eventstore.schema import LogSchemaError
from pointsman.eventstore.sqlite import SqliteEventStore

__all__ = [
    "AggregateTopics",
    "Append",
    "AppendAnswer",
    "Appended",
    "Command",
    "CommitListener",
    "Committed",
    "DuplicateCommand",
    "EventIdInUseError",
    "EventStore",
    "FeedFloor",
    "Fenced",
    "Leadership",
    "LogInUseError",
    "LogReader",
    "LogSchemaError",
    "LogUnavailableError",
    "LogUnreadableError",
    "NewEvent",
    "Repository",
    "SqliteEventStore",
    "SqliteLogReader",
    "VersionConflict",
]

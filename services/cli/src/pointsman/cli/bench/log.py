"""`pointsman bench log`: what the log's group commit is worth, measured here and now.

Store level: every writer appends one event, waits for its commit and goes on. The other side is
the recorder of the `eventsourcing` library for the same database, on tables of its own, in
threads, as an asyncio service would have to use it. Slices of all paths alternate, so that a slow
moment of the machine hits each of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NotRequired, TypedDict
from urllib.parse import urlsplit

import msgspec
import uuid_utils.compat
import uvloop
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from pointsman.cli.bench.log_tail import TailFigures, tail_writers
from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.eventstore import (
    AggregateTopics,
    Append,
    Appended,
    EventStore,
    NewEvent,
    Repository,
    SqliteEventStore,
)
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.runtime.servers import LocalPostgres, ServerError

_ROUNDS: Final = 4
_TOPIC: Final = "task.accepted.v1"

AppendOne = Callable[[], Awaitable[None]]


class LogBenchFigures(TypedDict):
    """Appends per second with one event each; `p99_ms` is of the group commit."""

    group_commit_per_s: float
    library_recorder_per_s: float
    ratio: float
    p99_ms: float
    aggregate_path_per_s: float


class BenchImpossible(TypedDict):
    """Why a store was not measured here."""

    not_measured: str


class LogBenchReport(TypedDict):
    """One entry per kind of store."""

    sqlite: LogBenchFigures
    postgresql: LogBenchFigures | BenchImpossible
    tail: NotRequired[TailFigures]
    """What a reader saw of several writing processes, if it was asked for."""


class BenchProject(Aggregate):
    """The smallest aggregate that takes the library's whole path."""

    TOPIC = "bench_project.v1"

    class Event(Aggregate.Event):
        """The library wants it beside events with topics of their own."""

    class Created(Event, Aggregate.Created):
        """One per append."""

        TOPIC = "bench_project.created.v1"
        name: str
        payload: str

    @event(Created)
    def __init__(self, name: str, payload: str) -> None:
        self.name = name
        self.payload = payload


class _Slices:
    """All slices of one path."""

    def __init__(self, append_one: AppendOne) -> None:
        self._append_one = append_one
        self._elapsed_s = 0.0
        self._latencies_s: list[float] = []

    async def run(self, seconds: float, writers: int) -> None:
        started = time.perf_counter()
        until = started + seconds
        await asyncio.gather(*(self._write(until) for _ in range(writers)))
        self._elapsed_s += time.perf_counter() - started

    async def _write(self, until: float) -> None:
        now = time.perf_counter()
        while now < until:
            await self._append_one()
            before, now = now, time.perf_counter()
            self._latencies_s.append(now - before)

    def per_s(self) -> float:
        return len(self._latencies_s) / self._elapsed_s

    def p99_ms(self) -> float:
        ordered = sorted(self._latencies_s)
        return ordered[len(ordered) * 99 // 100] * 1000


async def run_log_bench(
    seconds: float, writers: int, directory: Path, *, tail_seconds: float = 0
) -> LogBenchReport:
    """Append for about `seconds` per store to new logs in `directory`."""
    sqlite = await asyncio.to_thread(uvloop.run, _sqlite(seconds, writers, directory))
    server = LocalPostgres(directory / "postgres")
    try:
        await server.start()
        library = await server.create_database("library")
        measured = _postgres(seconds, writers, server.dsn, library)
        # An event loop of its own for each, as a service has it.
        report = LogBenchReport(
            sqlite=sqlite, postgresql=await asyncio.to_thread(uvloop.run, measured)
        )
        if tail_seconds:
            report["tail"] = await tail_writers(server.dsn, tail_seconds)
    except (ServerError, ImportError) as error:
        return {"sqlite": sqlite, "postgresql": {"not_measured": str(error)}}
    finally:
        await server.stop()
    return report


async def _sqlite(seconds: float, writers: int, directory: Path) -> LogBenchFigures:
    datastore = SQLiteDatastore(str(directory / "library.db"))
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    try:
        async with SqliteEventStore(directory / "log.db") as store:
            return await _alternate(store, recorder, seconds, writers)
    finally:
        datastore.close()


async def _postgres(seconds: float, writers: int, log: str, library: str) -> LogBenchFigures:
    # The library's driver for PostgreSQL is not part of an installation, only of a checkout.
    from eventsourcing.postgres import (  # noqa: PLC0415 - see above
        PostgresApplicationRecorder,
        PostgresDatastore,
    )

    at = urlsplit(library)
    datastore = PostgresDatastore(
        at.path[1:], at.hostname or "", str(at.port), at.username or "", at.password or ""
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    try:
        async with await PostgresEventStore.open(log) as store:
            return await _alternate(store, recorder, seconds, writers)
    finally:
        datastore.close()


async def _alternate(
    store: EventStore, recorder: ApplicationRecorder, seconds: float, writers: int
) -> LogBenchFigures:
    task = _task()
    with ThreadPoolExecutor() as threads:
        group = _Slices(_group_commit(store, task))
        library = _Slices(_library_recorder(recorder, threads, task))
        aggregates = _Slices(_aggregate_path(store))
        for _ in range(_ROUNDS):
            for slices in (group, library, aggregates):
                await slices.run(seconds / _ROUNDS / 3, writers)
    return {
        "group_commit_per_s": round(group.per_s(), 1),
        "library_recorder_per_s": round(library.per_s(), 1),
        "ratio": round(group.per_s() / library.per_s(), 2),
        "p99_ms": round(group.p99_ms(), 3),
        "aggregate_path_per_s": round(aggregates.per_s(), 1),
    }


def _group_commit(store: EventStore, task: TaskAccepted) -> AppendOne:
    state = msgspec.json.encode(task)

    async def append_one() -> None:
        stream = uuid_utils.compat.uuid7()
        new = NewEvent(uuid_utils.compat.uuid7(), stream, 1, _TOPIC, state, task, task.tenant)
        _require_appended(await store.append(Append((new,))))

    return append_one


def _library_recorder(
    recorder: ApplicationRecorder, threads: ThreadPoolExecutor, task: TaskAccepted
) -> AppendOne:
    state = msgspec.json.encode(task)

    async def append_one() -> None:
        stored = StoredEvent(uuid_utils.compat.uuid7(), 1, _TOPIC, state)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(threads, recorder.insert_events, [stored])

    return append_one


def _aggregate_path(store: EventStore) -> AppendOne:
    repository = Repository(store, AggregateTopics([BenchProject]))
    payload = "x" * 300

    async def append_one() -> None:
        _require_appended(await repository.save(BenchProject(name="bench", payload=payload)))

    return append_one


def _require_appended(answer: object) -> None:
    if not isinstance(answer, Appended):
        raise TypeError(f"the log refused a new stream, which must not happen: {answer}")


def _task() -> TaskAccepted:
    return TaskAccepted(
        at=1.5,
        applied_to=0,
        pool="default",
        tenant="acme",
        family="summarize",
        priority_class=PriorityClass.STANDARD,
        key=1_767_268_800.5,
        variants=("summarize-textrank-embeddings", "summarize-textrank-tfidf", "summarize-lead"),
        payload=BlobRef(digest="0" * 64, size=1024, media_type="text/plain", shard="scheduler"),
        message_id="bench",
        source="/pointsman/bench",
    )

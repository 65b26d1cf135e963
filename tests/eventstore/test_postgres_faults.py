"""The PostgreSQL log when answers are lost, sessions end, locks are kept and the server goes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from pointsman.eventstore.ports import (
    Append,
    Appended,
    Committed,
    EventStore,
    LogUnavailableError,
    TakeOver,
)
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.testing.postgres_answers import LostCommits
from pointsman.testing.servers import postgres
from pointsman.testing.tcp_proxy import Link, TcpProxy, Way, tcp_proxy
from pointsman.testing.waiting import wait_until
from tests.support.log_events import a_command, an_event, some_events
from tests.support.postgres_log import END_OTHERS, session


class SilentAfter:
    """A hook of `TcpProxy`: once a client has sent the words, nothing reaches it any more."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._silent: set[Link] = set()
        self.lost = 0

    def __call__(self, link: Link, way: Way, piece: bytes) -> bytes:
        if way is Way.TO_SERVER and not self.lost and self._words in piece:
            self.lost += 1
            self._silent.add(link)
        return b"" if way is Way.TO_CLIENT and link in self._silent else piece


@pytest.fixture
async def line(database: str) -> AsyncIterator[TcpProxy]:
    at = urlsplit(database)
    assert at.hostname is not None
    assert at.port is not None
    async with tcp_proxy((at.hostname, at.port)) as line:
        yield line


@pytest.fixture
async def store(line: TcpProxy, database: str) -> AsyncIterator[PostgresEventStore]:
    at = urlsplit(database)
    login = at.netloc.rpartition("@")[0]
    dsn = at._replace(netloc=f"{login}@127.0.0.1:{line.port}").geturl()
    async with await PostgresEventStore.open(dsn) as store:
        yield store


def positions(seen: list[Committed]) -> list[int]:
    return [each.recorded.position for each in seen]


@pytest.mark.parametrize("hook", [LostCommits(1), SilentAfter(b"COMMIT\0")], ids=["cut", "dead"])
async def test_an_append_whose_commit_was_not_answered_is_found_and_answered_once(
    store: PostgresEventStore, line: TcpProxy, hook: LostCommits | SilentAfter
) -> None:
    own, followed = list[Committed](), list[Committed]()
    store.on_commit(own.extend)
    await store.follow(followed.extend)
    append = Append([an_event(uuid4(), 1), an_event(uuid4(), 1)], a_command("m"))
    line.hook = hook

    answer = await store.append(append, timeout_s=20)

    assert hook.lost == 1
    assert answer == Appended((1, 2))
    assert await store.head() == 2
    assert positions(own) == positions(followed) == [1, 2]
    assert [each.event for each in own] == [event.event for event in append.events]


async def test_an_append_whose_commit_was_never_sent_is_committed_on_another_connection(
    store: PostgresEventStore, line: TcpProxy
) -> None:
    seen = list[Committed]()
    store.on_commit(seen.extend)
    hook = line.hook = SilentAfter(b"LOCK TABLE")

    answers = await asyncio.gather(
        *(store.append(some_events(uuid4(), [1]), timeout_s=20) for _ in range(20))
    )

    assert hook.lost == 1
    assert {type(answer) for answer in answers} == {Appended}
    assert await store.head() == 20
    assert sorted(positions(seen)) == list(range(1, 21))


async def test_what_had_landed_unheard_of_is_announced_though_nobody_waits_any_more(
    store: PostgresEventStore, line: TcpProxy
) -> None:
    seen = list[Committed]()
    store.on_commit(seen.extend)
    line.hook = SilentAfter(b"COMMIT\0")

    with pytest.raises(LogUnavailableError):
        await store.append(some_events(uuid4(), [1]), timeout_s=0.3)
    await store.append(some_events(uuid4(), [1]), timeout_s=20)

    assert positions(seen) == [1, 2]


async def test_an_election_whose_commit_was_not_answered_is_won(
    store: PostgresEventStore, line: TcpProxy
) -> None:
    line.hook = LostCommits(1)
    take_over = TakeOver("pool", "a", epoch=1, ttl_s=60)

    answer = await store.append(Append([an_event(uuid4(), 1)], take_over=take_over), timeout_s=20)

    assert answer == Appended((1,))
    leader = await store.leader("pool")
    assert leader is not None
    assert (leader.epoch, leader.holder) == (1, "a")


async def append_for_a_while(store: EventStore, appends: int) -> Counter[type]:
    """Like a service: repeats what is in doubt until it is answered."""
    answers = Counter[type]()
    stream = uuid4()
    for version in range(1, appends + 1):
        append = some_events(stream, [version])
        while True:
            try:
                answers[type(await store.append(append, timeout_s=20))] += 1
                break
            except LogUnavailableError:
                answers[LogUnavailableError] += 1
    return answers


async def test_no_append_is_lost_or_doubled_while_sessions_are_ended(
    store: PostgresEventStore, database: str
) -> None:
    followed = list[Committed]()
    await store.follow(followed.extend)
    writers = [asyncio.create_task(append_for_a_while(store, 40)) for _ in range(16)]

    async with session(database) as other:
        ended = 0
        for head in range(60, 600, 60):
            await store.wait_beyond(head, timeout_s=20)
            ended += int(await other.fetchval(END_OTHERS))
    answers = sum(await asyncio.gather(*writers), Counter[type]())

    assert ended >= 9
    assert answers[Appended] == 16 * 40
    log = await store.read(0, limit=1000)
    assert [event.position for event in log] == list(range(1, 641))
    assert len({(event.stream, event.version) for event in log}) == 640
    assert positions(followed) == list(range(1, 641))


async def test_a_lock_that_somebody_keeps_is_waited_for_and_then_told_of(
    store: PostgresEventStore, database: str
) -> None:
    async with session(database) as other:
        await other.execute("BEGIN; LOCK TABLE stored_events IN EXCLUSIVE MODE")
        reading = await store.head()
        with pytest.raises(LogUnavailableError):
            await store.append(some_events(uuid4(), [1]), timeout_s=2.5)
        waiting = asyncio.create_task(store.append(some_events(uuid4(), [1]), timeout_s=20))
        await asyncio.wait((waiting,), timeout=0.1)
        await other.execute("COMMIT")

        assert reading == 0
        assert isinstance(await waiting, Appended)


async def test_a_store_does_without_its_server_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with (
        postgres(tmp_path) as server,
        await PostgresEventStore.open(server.dsn) as store,
    ):
        followed = list[Committed]()
        await store.follow(followed.extend)
        first = await store.append(some_events(uuid4(), [1]))
        server.kill()
        await server.wait()

        async def refuses() -> bool:
            try:
                await store.append(some_events(uuid4(), [1]), timeout_s=0.5)
            except LogUnavailableError:
                return True
            return False

        # What served the store may outlive the server by a moment, and still commits then.
        await wait_until(refuses)
        waiting = asyncio.create_task(store.append(some_events(uuid4(), [1]), timeout_s=60))
        reading = asyncio.create_task(store.read(0))
        await server.start()

        assert first == Appended((1,))
        last = await waiting
        assert isinstance(last, Appended)
        assert last.positions[-1] >= 2
        assert len(await reading) >= 1
        await wait_until(lambda: positions(followed) == list(range(1, last.positions[-1] + 1)))


async def test_a_follower_catches_up_with_what_was_missed_while_the_line_was_down(
    store: PostgresEventStore, database: str
) -> None:
    followed = list[Committed]()
    await store.follow(followed.extend)
    stream = UUID(int=7)
    async with await PostgresEventStore.open(database) as another, session(database) as other:
        for version in range(1, 30):
            await another.append(some_events(stream, [version]), timeout_s=20)
            if version % 10 == 0:
                await other.fetchval(END_OTHERS)

    await wait_until(lambda: positions(followed) == list(range(1, 30)))

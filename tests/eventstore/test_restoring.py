"""A log as it was at any position, and the truth about what that undoes."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest

from pointsman.contracts.events import Decision
from pointsman.eventstore import (
    Append,
    Appended,
    DuplicateCommand,
    FeedFloor,
    SqliteEventStore,
    SqliteLogReader,
)
from pointsman.eventstore.backup import BackupError, back_up
from pointsman.eventstore.log_file import linked_pages
from pointsman.eventstore.log_identity import Ancestor, read_identity
from pointsman.eventstore.ports import NewEvent, TakeOver
from pointsman.eventstore.restoring import Restored, restore
from pointsman.eventstore.verification import ChainCheck
from tests.support.log_events import NOON_US, ManualClock, a_command, some_events
from tests.support.task_events import CODEC, accepted, attempt_lost, completed, failed, granted

LIVES: tuple[Sequence[Decision], ...] = (
    (accepted(), granted(), completed()),
    (accepted(), granted(), attempt_lost(), granted(2), completed(2)),
    (accepted(), failed()),
    (accepted(), granted()),
    (accepted(),),
)


def as_append(task: UUID, version: int, event: Decision) -> Append:
    state = CODEC.encode(event)
    return Append([NewEvent(uuid4(), task, version, CODEC.topic(event), state, event, "acme")])


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    return data


async def a_busy_log(data: Path, *, lives: int = 30, seed: int = 1) -> list[tuple[UUID, Decision]]:
    """Tasks whose lives run across each other; gives what is at each position."""
    random = Random(seed)
    left = [(uuid4(), list(random.choice(LIVES))) for _ in range(lives)]
    written: dict[UUID, int] = {}
    history: list[tuple[UUID, Decision]] = []
    async with SqliteEventStore(data / "log.db", clock=ManualClock()) as store:
        while left:
            life = random.choice(left)
            task, event = life[0], life[1].pop(0)
            if not life[1]:
                left.remove(life)
            written[task] = written.get(task, 0) + 1
            answer = await store.append(as_append(task, written[task], event))
            assert isinstance(answer, Appended)
            history.append((task, event))
    return history


async def test_a_log_is_restored_to_any_position(tmp_path: Path) -> None:
    history = await a_busy_log(tmp_path / "data")
    back_up(tmp_path / "data", tmp_path / "backup")
    original = SqliteLogReader(tmp_path / "data" / "log.db")
    for position in [0, len(history), *Random(2).sample(range(1, len(history)), 18)]:
        target = tmp_path / f"restored-{position}"
        target.mkdir()

        restored = restore(tmp_path / "backup", target, position=position)

        async with SqliteEventStore(target / "log.db") as store:
            found = list(await store.read(0, limit=10_000))
            assert found == list(await original.read(0, limit=position) if position else [])
            assert await store.append(some_events(uuid4(), [1])) == Appended((position + 1,))
        check = ChainCheck()
        for page in linked_pages(target / "log.db"):
            check.take(page)
        assert check.broken is None
        assert restored.position == position
        assert restored.events_undone == len(history) - position
        _check_report(restored, history)
    await original.close()


def _check_report(restored: Restored, history: list[tuple[UUID, Decision]]) -> None:
    before, after = history[: restored.position], history[restored.position :]
    known = {task for task, _ in before}
    last = dict(before)
    running = {task for task, event in last.items() if type(event).__name__ == "TaskGranted"}
    assert {each.task for each in restored.lost} == {task for task, _ in after} - known
    assert {each.task for each in restored.may_run_again} == running | (
        {task for task, _ in after} & known
    )


async def test_a_restore_begins_another_life_that_names_the_one_before(tmp_path: Path) -> None:
    await a_busy_log(tmp_path / "data")
    back_up(tmp_path / "data", tmp_path / "backup")
    (tmp_path / "new").mkdir()

    restored = restore(tmp_path / "backup", tmp_path / "new", position=7)

    before = read_identity(tmp_path / "data" / "log.db")
    after = read_identity(tmp_path / "new" / "log.db")
    assert after.incarnation == restored.incarnation != before.incarnation
    assert after.ancestors == (Ancestor(before.incarnation, 7),)
    assert after.shared_with(before.incarnation) == 7
    assert after.shared_with("another log") is None


async def test_a_restore_of_a_restore_shares_what_both_kept(tmp_path: Path) -> None:
    await a_busy_log(tmp_path / "data")
    first = read_identity(tmp_path / "data" / "log.db").incarnation
    for source, position in (("data", 9), ("new-9", 4)):
        back_up(tmp_path / source, tmp_path / f"backup-{position}")
        (tmp_path / f"new-{position}").mkdir()
        restore(tmp_path / f"backup-{position}", tmp_path / f"new-{position}", position=position)

    assert read_identity(tmp_path / "new-4" / "log.db").shared_with(first) == 4


async def test_a_restore_goes_to_a_time(tmp_path: Path, data: Path) -> None:
    clock = ManualClock()
    async with SqliteEventStore(data / "log.db", clock=clock) as store:
        for second in range(5):
            clock.now_us = NOON_US + second * 1_000_000
            await store.append(some_events(uuid4(), [1, 2]))
    back_up(data, tmp_path / "backup")
    (tmp_path / "new").mkdir()

    restored = restore(tmp_path / "backup", tmp_path / "new", time=NOON_US / 1e6 + 2.5)

    assert restored.position == 6


async def test_commands_accepted_later_are_new_again_and_earlier_ones_are_not(
    tmp_path: Path, data: Path
) -> None:
    async with SqliteEventStore(data / "log.db") as store:
        for name in ("early", "late"):
            events = some_events(uuid4(), [1]).events
            await store.append(Append(events, a_command(name)))
    back_up(data, tmp_path / "backup")
    (tmp_path / "new").mkdir()
    restore(tmp_path / "backup", tmp_path / "new", position=1)

    async with SqliteEventStore(tmp_path / "new" / "log.db") as store:
        early = await store.append(Append(some_events(uuid4(), [1]).events, a_command("early")))
        late = await store.append(Append(some_events(uuid4(), [1]).events, a_command("late")))

    assert isinstance(early, DuplicateCommand)
    assert late == Appended((2,))


async def test_the_epoch_of_the_life_before_is_kept_and_the_floors_are_not(
    tmp_path: Path, data: Path
) -> None:
    async with SqliteEventStore(data / "log.db") as store:
        await store.append(some_events(uuid4(), [1]))
        for epoch in (1, 2, 3):
            over = TakeOver("main", f"holder-{epoch}", epoch, ttl_s=4.0)
            await store.append(Append(some_events(uuid4(), [1]).events, take_over=over))
        await store.set_floor(FeedFloor("PM_FEED", "one", 7, 3))
    back_up(data, tmp_path / "backup")
    (tmp_path / "new").mkdir()
    restore(tmp_path / "backup", tmp_path / "new", position=1)

    async with SqliteEventStore(tmp_path / "new" / "log.db") as store:
        leader, floor = await store.leader("main"), await store.floor("PM_FEED")

    assert leader is not None
    assert leader.epoch == 3
    assert floor is None


async def test_a_log_is_never_overwritten(tmp_path: Path) -> None:
    await a_busy_log(tmp_path / "data", lives=2)
    back_up(tmp_path / "data", tmp_path / "backup")

    with pytest.raises(BackupError, match="holds a log already"):
        restore(tmp_path / "backup", tmp_path / "data")


async def test_a_position_behind_the_backup_is_refused(tmp_path: Path) -> None:
    history = await a_busy_log(tmp_path / "data", lives=2)
    back_up(tmp_path / "data", tmp_path / "backup")
    (tmp_path / "new").mkdir()

    with pytest.raises(BackupError, match=f"ends at position {len(history)}"):
        restore(tmp_path / "backup", tmp_path / "new", position=len(history) + 1)

    assert not list((tmp_path / "new").iterdir())


async def test_an_interrupted_restore_is_begun_again(tmp_path: Path) -> None:
    await a_busy_log(tmp_path / "data", lives=2)
    back_up(tmp_path / "data", tmp_path / "backup")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "log.db.restoring").write_bytes(b"half a log")

    restored = restore(tmp_path / "backup", tmp_path / "new", position=1)

    assert restored.position == 1
    assert not (tmp_path / "new" / "log.db.restoring").exists()

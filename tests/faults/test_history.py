"""Each way in which a history can be wrong is found, and nothing in a good one."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import msgspec
import pytest

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import part_id
from pointsman.eventstore.ports import NewEvent
from pointsman.testing.history import Findings, Sent, check
from tests.support.task_events import (
    CODEC,
    NOON,
    accepted,
    as_recorded,
    completed,
    granted,
    stream_of,
)

History = tuple[list[Sent], list[Recorded]]
TASKS = 6


def life_of(number: int, task: UUID) -> list[NewEvent]:
    asked = msgspec.structs.replace(accepted(), message_id=f"m-{number}")
    return stream_of(task, [asked, granted(), completed()])


def replaced(event: Recorded, **fields: object) -> Recorded:
    return msgspec.structs.replace(event, **fields)


def a_history() -> History:
    """Tasks one after the other; each answered before the next was sent; leader 1, then 2."""
    tasks = [uuid4() for _ in range(TASKS)]
    log = as_recorded([each for n, task in enumerate(tasks) for each in life_of(n, task)])
    log = [
        msgspec.structs.replace(each, epoch=1 + (2 * n >= len(log))) for n, each in enumerate(log)
    ]
    sent = [
        Sent("acme", f"m-{n}", NOON + n, NOON + n + 0.5, [task], stored=True)
        for n, task in enumerate(tasks)
    ]
    return sent, log


def numbered(log: list[Recorded]) -> list[Recorded]:
    """Positions and times anew, so that only what was meant is wrong."""
    return [
        msgspec.structs.replace(each, position=n, time_us=n) for n, each in enumerate(log, start=1)
    ]


def accepted_with(event: Recorded, **fields: object) -> Recorded:
    decision = CODEC.decode(event.type, event.data)
    data = msgspec.json.encode(msgspec.structs.replace(decision, **fields))
    return msgspec.structs.replace(event, data=msgspec.Raw(data))


def without_a_task(history: History) -> History:
    sent, log = history
    return sent, numbered([each for each in log if each.stream != sent[2].tasks[0]])


def with_a_message_twice(history: History) -> History:
    sent, log = history
    again = as_recorded(life_of(2, uuid4()), epoch=2)
    return sent, numbered([*log, *again])


def with_a_task_of_nobody(history: History) -> History:
    sent, log = history
    return sent, numbered([*log, *as_recorded(life_of(99, uuid4()), epoch=2)])


def refused(history: History) -> History:
    sent, log = history
    return [replace(sent[0], refused=True, tasks=[]), *sent[1:]], log


def answered_twice(history: History) -> History:
    sent, log = history
    return [replace(sent[0], tasks=[*sent[0].tasks, sent[1].tasks[0]]), *sent[1:]], log


def answered_with_another_task(history: History) -> History:
    sent, log = history
    return [replace(sent[0], tasks=[uuid4()]), *sent[1:]], log


def in_another_order(history: History) -> History:
    sent, log = history
    first = [each for each in log if each.stream == sent[0].tasks[0]]
    rest = [each for each in log if each.stream != sent[0].tasks[0]]
    order = numbered([*rest, *first])
    return sent, [msgspec.structs.replace(each, epoch=0) for each in order]


def without_an_end(history: History) -> History:
    sent, log = history
    return sent, log[:-1]


def with_two_ends(history: History) -> History:
    sent, log = history
    end = msgspec.structs.replace(log[-1], id=uuid4(), version=log[-1].version + 1)
    return sent, numbered([*log, end])


def with_a_write_of_the_old_leader(history: History) -> History:
    sent, log = history
    return sent, [*log[:-1], msgspec.structs.replace(log[-1], epoch=1)]


def with_a_hole(history: History) -> History:
    sent, log = history
    return sent, [
        msgspec.structs.replace(each, position=each.position + (n > 4))
        for n, each in enumerate(log)
    ]


def with_a_version_left_out(history: History) -> History:
    sent, log = history
    return sent, [*log[:-1], msgspec.structs.replace(log[-1], version=9)]


def with_an_id_twice(history: History) -> History:
    sent, log = history
    return sent, [*log[:-1], msgspec.structs.replace(log[-1], id=log[0].id)]


CORRUPTIONS: dict[str, Callable[[History], History]] = {
    "lost": without_a_task,
    "duplicate": with_a_message_twice,
    "phantom": with_a_task_of_nobody,
    "refused_but_there": refused,
    "two_answers": answered_twice,
    "wrong_task": answered_with_another_task,
    "reordered": in_another_order,
    "never_terminal": without_an_end,
    "double_result": with_two_ends,
    "stale_leader_write": with_a_write_of_the_old_leader,
    "position_gap": with_a_hole,
    "version_gap": with_a_version_left_out,
    "repeated_id": with_an_id_twice,
}


def found(history: History) -> Findings:
    return check(*history)


def test_nothing_is_found_in_a_good_history() -> None:
    findings = found(a_history())

    assert findings.clean, findings.kinds
    assert findings.log.accepted == TASKS


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_kind_of_corruption_is_found(kind: str) -> None:
    findings = found(CORRUPTIONS[kind](a_history()))

    assert kind in findings.kinds
    assert not findings.clean


def test_a_message_without_any_promise_may_have_become_a_task_or_not() -> None:
    sent, log = a_history()
    unknown = replace(sent[0], answered_at=None, tasks=[], stored=False)
    never_arrived = Sent("acme", "m-100", NOON, None)

    assert found(([unknown, *sent[1:], never_arrived], log)).clean


def test_what_the_bus_has_stored_must_become_a_task() -> None:
    sent, log = a_history()

    findings = found(([*sent, Sent("acme", "m-100", NOON, None, stored=True)], log))

    assert findings.counts() == {"lost": 1}


def test_a_part_of_a_task_is_no_phantom() -> None:
    sent, log = a_history()
    part = as_recorded(life_of(99, part_id(log[0].stream, 1)), epoch=2)

    findings = check(sent, numbered([*log, *part]))

    assert findings.clean, findings.kinds


def test_a_task_that_the_system_gave_itself_is_no_phantom() -> None:
    sent, log = a_history()
    own = as_recorded(life_of(99, uuid4()), epoch=2)
    own[0] = accepted_with(own[0], source="/system")

    findings = check(sent, numbered([*log, *own]), own_sources={"/system"})

    assert findings.clean, findings.kinds

"""Every decision in a log follows from the log before it, and one that does not is found."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.time_machine.replay.verification import Verification
from tests.support.busy_day import busy_day
from tests.support.log_rows import changed, rows_of
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    Entry,
    History,
    accepted,
    attached,
    model,
    submission,
)
from tests.support.scheduling import given as given_history

DECIDED: Final = (
    events.TaskAccepted,
    events.TaskGranted,
    events.TaskCompleted,
    events.TaskExpired,
    events.TaskCancelled,
    events.TaskPrepared,
    events.TaskFailed,
    events.AttemptFailed,
    events.AttemptTimedOut,
    events.AttemptLost,
    events.DeviceAttached,
    events.DeviceDetached,
    events.DeviceSuspended,
    events.DeviceResumed,
    events.SlotReleased,
    events.ModelRegistered,
)
"""What the leader of a pool decides, as far as the log holds the input."""

WRONG: Final[dict[type[Decision], dict[str, object]]] = {
    events.TaskAccepted: {"key": NOON - 1, "variants": ("label", "best")},
    events.TaskGranted: {
        "device": "elsewhere",
        "variant": "label",
        "run_timeout_s": 1.0,
        "attempt": 9,
        "round": 9,
        "executor": "somebody",
    },
    events.TaskCompleted: {"queue_s": 77.0, "device": "elsewhere", "attempt": 9},
    events.TaskExpired: {"needed_s": 17.0, "deadline": 1.0},
    events.TaskCancelled: {"attempt": 9},
    events.AttemptFailed: {"retry_at": 1.0, "device": "elsewhere"},
    events.AttemptTimedOut: {"retry_at": 1.0, "run_timeout_s": 17.0},
    events.AttemptLost: {"attempt": 9, "device": "elsewhere"},
    events.TaskFailed: {"attempts": 9},
}
"""Values that no decision has, field by field."""


def verified(entries: Sequence[Entry], *, page: int = 100, pool: str = "main") -> Verification:
    verification, rows = Verification(pool), rows_of(entries)
    for start in range(0, len(rows), page):
        verification.take(rows[start : start + page])
    verification.end()
    return verification


def submitted(history: History) -> events.TaskAccepted:
    decided = decide_submit(history.pool, submission(), PAYLOAD, at=NOON)
    assert isinstance(decided, events.TaskAccepted)
    return decided


def cancelled(history: History) -> events.TaskCancelled:
    applied_to = history.pool.applied_to
    return events.TaskCancelled(at=NOON + 1, applied_to=applied_to, by="somebody", reason="")


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(20, 200))
def test_whatever_happened_is_decided_again(seed: int, steps: int) -> None:
    entries = busy_day(seed, steps).history.entries

    again = verified(entries)

    decided = [entry for entry in entries if isinstance(entry.event, DECIDED)]
    assert again.differences == []
    assert again.decisions == again.verified == len(decided)
    assert again.not_redecided.total() == len(entries) - len(decided)
    assert (again.beyond_window, again.stopped) == (0, None)


def test_a_busy_week_has_every_kind_of_decision() -> None:
    kinds = Counter(
        type(entry.event) for seed in range(7) for entry in busy_day(seed).history.entries
    )

    assert set(DECIDED) <= set(kinds)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 3), pick=st.integers(0, 100_000), data=st.data())
def test_every_changed_decision_is_found(seed: int, pick: int, data: st.DataObject) -> None:
    entries = DAYS[seed]
    choices = [entry for entry in entries if type(entry.event) in WRONG]
    entry = choices[pick % len(choices)]
    wrong = WRONG[type(entry.event)]
    field = data.draw(st.sampled_from(sorted(wrong)))

    assume(getattr(entry.event, field) != wrong[field])

    found = verified(changed(entries, entry.position, **{field: wrong[field]}))

    assert found.differences[0].position == entry.position
    assert found.differences[0].field in {field, "event"}


def test_a_difference_names_what_was_recorded_and_what_is_decided() -> None:
    history = given_history(model(), attached())
    history.append(UUID(int=1), submitted(history))
    history.round(NOON + 1)

    (found,) = verified(changed(history.entries, 4, variant="other")).differences

    assert (found.position, found.type, found.field) == (4, "task.granted.v1", "variant")
    assert (found.recorded, found.decided) == ("other", "fast")


def test_a_difference_inside_of_an_explanation_names_the_figure() -> None:
    history = given_history(model(), attached())
    history.append(UUID(int=1), submitted(history))
    history.round(NOON + 1)
    granted = history.entries[3].event
    assert isinstance(granted, events.TaskGranted)
    chosen = msgspec.structs.replace(granted.explanation.chosen, score=0.25)
    wrong = msgspec.structs.replace(granted.explanation, chosen=chosen)

    (found,) = verified(changed(history.entries, 4, explanation=wrong)).differences

    assert (found.field, found.recorded) == ("explanation.chosen.score", 0.25)
    assert found.decided == granted.explanation.chosen.score


def test_an_event_that_does_not_fit_ends_the_fold_and_is_named() -> None:
    history = given_history(model(), attached())
    history.append(UUID(int=1), submitted(history))
    history.round(NOON + 1)

    found = verified(changed(history.entries, 4, device="elsewhere"))

    assert found.different == 1
    assert found.stopped is not None
    assert (found.stopped.position, found.stopped.type) == (4, "task.granted.v1")


def test_a_decision_that_no_state_leads_to_is_a_difference() -> None:
    history = given_history(model(), attached())
    task = UUID(int=1)
    history.append(task, submitted(history))
    early = events.TaskCancelled(at=NOON + 1, applied_to=2, by="somebody", reason="")
    history.append(task, early)

    (found,) = verified(history.entries).differences

    assert (found.position, found.field, found.decided) == (4, "event", "nothing")


def test_decisions_of_another_pool_are_left_to_its_own_run() -> None:
    history = given_history(model(), attached())
    mine, foreign = UUID(int=1), UUID(int=2)
    history.append(mine, submitted(history))
    history.append(foreign, msgspec.structs.replace(accepted(key=1.0), pool="other"))
    for task in (mine, foreign):
        history.append(task, cancelled(history))

    again = verified(history.entries)

    assert again.different == 0
    assert again.decisions == len(history.entries) - 2


def test_rounds_that_lost_a_race_are_counted_but_are_no_difference() -> None:
    history = given_history(model(), attached(slots=2))
    for n in (1, 2):
        history.append(UUID(int=n), submitted(history))
    decided = decide_round(history.pool, at=NOON + 1)
    assert len(decided) == 2
    history.append(UUID(int=2), cancelled(history))
    assert [history.record(item) for item in decided] == [True, False]

    again = verified(history.entries)

    assert (again.different, again.unrecorded) == (0, 1)


@pytest.mark.parametrize("page", [1, 7, 5_000])
def test_how_the_log_is_read_makes_no_difference(page: int) -> None:
    whole = verified(DAYS[0], page=page)

    assert whole.different == 0
    assert whole.verified == verified(DAYS[0]).verified


def test_only_the_decisions_that_were_asked_for_are_made_again() -> None:
    rows = rows_of(DAYS[0])
    some = Verification("main", first=20, last=40)

    some.take(rows)
    some.end()

    assert some.decisions + some.not_redecided.total() == 21
    assert some.pool.applied_to == len(rows)


DAYS: Final = [busy_day(seed, 200).history.entries for seed in range(4)]

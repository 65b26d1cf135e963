"""A log as a pool folds it: what cannot be read ends the fold and names its place."""

import pytest

from pointsman.eventstore.log_rows import LogRow
from pointsman.eventstore.reading import DamagedEventError, NewerEventError
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.pool_log import PoolLog
from tests.support.busy_day import busy_day
from tests.support.log_rows import rows_of
from tests.support.pool_state import state
from tests.support.scheduling import attached, given, model

STREAM = "019b7a3e00007000800000000000000a"


def test_folding_rows_gives_the_pool_of_the_events() -> None:
    day, pool = busy_day(5, 150), Pool("main")

    PoolLog(pool).fold(rows_of(day.history.entries))

    assert state(pool, day.now) == state(day.pool, day.now)


def test_events_that_change_no_pool_are_passed_over() -> None:
    pool, rows = Pool("main"), rows_of(given(model(), attached()).entries)
    others: LogRow = (3, STREAM, 1, "feedback.given.v9", 0, b"not even JSON")

    PoolLog(pool).fold([*rows, others])

    assert pool.applied_to == 3
    assert PoolLog(pool).entry(others) is None


@pytest.mark.parametrize(
    ("topic", "state_", "error"),
    [
        ("task.accepted.v9", b"{}", NewerEventError),
        ("unheard.of.v1", b"{}", NewerEventError),
        ("task.accepted.v1", b'{"at": 1}', DamagedEventError),
        ("task.accepted.v1", b"\xff", DamagedEventError),
    ],
)
def test_what_cannot_be_read_is_named(topic: str, state_: bytes, error: type[Exception]) -> None:
    row: LogRow = (7, STREAM, 1, topic, 0, state_)

    with pytest.raises(error, match="at position 7"):
        PoolLog(Pool("main")).entry(row)
    with pytest.raises(error, match="at position 7"):
        PoolLog(Pool("main")).fold([row])

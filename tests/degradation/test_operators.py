"""What operators keep from devices, from the leader's reading to the ladder's next step."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

import pytest

from pointsman.contracts.events import ScopeKind
from pointsman.contracts.levels import Level
from pointsman.contracts.streams import stream_id
from pointsman.degradation.domain.gauges import Gauges
from pointsman.degradation.domain.surroundings import StandingAlert, Surroundings
from pointsman.scheduler.domain.load import sample_load
from tests.degradation.pure_ladder import PureLadder
from tests.support.scheduling import NOON, History, accepted, attached, given, model, suspended
from tests.support.steering import drain, hold, limit, pause, set_tenant, steered

ALERTED: Final = Surroundings(position=10**9, alerts=(StandingAlert("task_latency", "main"),))


def drained(history: History) -> None:
    steered(history, drain("cpu-0"))


def paused(history: History) -> None:
    steered(history, pause(ScopeKind.FAMILY, "summarize"))


def limited(history: History) -> None:
    steered(history, limit("fast", 0))


def limited_tenant(history: History) -> None:
    steered(history, set_tenant("acme", running=0))


def all_held(history: History) -> None:
    for task in [*history.pool.tasks]:
        steered(history, hold(task))


def away(history: History) -> None:
    history.append(stream_id("device", "cpu-0"), suspended())


def nothing(_history: History) -> None:
    """Nobody keeps anything back; the pool does not get on."""


@pytest.mark.parametrize(
    ("happens", "per_s", "level"),
    [
        (drained, 20, Level.NORMAL),
        (paused, 20, Level.NORMAL),
        (limited, 20, Level.NORMAL),
        (limited_tenant, 20, Level.NORMAL),
        (all_held, 2, Level.NORMAL),
        (away, 20, Level.CONSERVE),
        (nothing, 20, Level.SHED),
    ],
)
def test_a_wait_for_an_operator_moves_no_ladder(
    happens: Callable[[History], None], per_s: int, level: Level
) -> None:
    """One device takes ten a second, none is started, and an alert says how long they wait."""
    history, gauges, ladder = given(model(), attached()), Gauges(), PureLadder()

    for second in range(60):
        at = NOON + second
        for number in range(per_s):
            history.append(UUID(int=1 + per_s * second + number), accepted(at=at))
        happens(history)
        gauges.sampled(sample_load(history.pool, at=at), at)
        ladder.look(gauges.pressure(ALERTED, "main", at))

    assert ladder.stand.level is level

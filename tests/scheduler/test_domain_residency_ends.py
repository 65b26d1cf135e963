"""How changes of residency end, and what a report that comes too late is still good for."""

import msgspec
import pytest

from pointsman.contracts.events import (
    DeviceMode,
    Residency,
    ResidencyChanged,
    ResidencyFailed,
    ResidencyGranted,
)
from pointsman.contracts.leases import (
    DeviceHealth,
    ResidencyDone,
    ResidencyRefused,
    ResidencyReport,
)
from pointsman.scheduler.domain.attachment import (
    decide_absent,
    decide_attach,
    decide_health,
    decide_return,
)
from pointsman.scheduler.domain.residency.ends import (
    RETRY_AFTER_S,
    decide_residency_lost,
    decide_residency_report,
)
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.scheduling import NOON, History, attach

A = Residency(variant="a", slots=1)
B = Residency(variant="b", slots=1)


def loading() -> LoadingWorld:
    """A device that is loading `a`."""
    world = LoadingWorld([loading_model("a"), loading_model("b")], {"gpu-0": DeviceMode.DEDICATED})
    world.submit("a")
    world.run(1)
    assert [change.load for change in world.changes] == ["a"]
    return world


def told(
    *residency: Residency, generation: int = 1, incarnation: str = "first", refused: str = ""
) -> ResidencyReport:
    return ResidencyReport(
        executor="executor-1",
        incarnation=incarnation,
        device="gpu-0",
        generation=generation,
        outcome=ResidencyRefused(code=refused, message="no")
        if refused
        else ResidencyDone(load_s=2.0, unload_s=0.5),
        residency=residency,
    )


def take(history: History, report: ResidencyReport) -> list[object]:
    decided = decide_residency_report(history.pool, report, at=NOON + 2)
    if decided is None:
        return []
    assert history.record(decided)
    return list(decided.events)


def test_a_load_that_is_done_is_measured_and_its_model_serves() -> None:
    world = loading()

    (event,) = take(world.history, told(A))

    device = world.pool.devices["gpu-0"]
    assert isinstance(event, ResidencyChanged)
    assert (device.residents, device.changing, device.fresh) == (("a",), None, True)
    assert world.pool.models.times_of("a").load_s == 2.0


def test_a_load_that_failed_is_not_tried_there_for_a_while() -> None:
    world = loading()

    (event,) = take(world.history, told(refused="out_of_memory"))

    assert isinstance(event, ResidencyFailed)
    assert world.pool.devices["gpu-0"].not_before == {"a": NOON + 2 + RETRY_AFTER_S}
    retry_at = NOON + 2 + RETRY_AFTER_S
    assert world.pool.next_due(NOON + 3) == retry_at
    assert decide_round(world.pool, at=retry_at - 0.1) == []
    assert decide_round(world.pool, at=retry_at) != []


@pytest.mark.parametrize(
    "report", [told(A, generation=2), told(A, incarnation="second")], ids=["later", "another's"]
)
def test_a_report_of_something_else_changes_nothing(report: ResidencyReport) -> None:
    assert take(loading().history, report) == []


def test_a_repeated_report_is_settled() -> None:
    world = loading()
    take(world.history, told(A))

    assert take(world.history, told(A)) == []


def test_a_change_that_nobody_will_report_has_failed() -> None:
    world = loading()

    decided = decide_residency_lost(world.pool, "gpu-0", "lease_expired", at=NOON + 20)

    assert decided is not None
    assert world.history.record(decided)
    assert world.pool.devices["gpu-0"].changing is None
    assert decide_residency_lost(world.pool, "gpu-0", "lease_expired", at=NOON + 21) is None


def test_a_report_after_its_change_was_given_up_still_says_what_the_device_has() -> None:
    world = loading()
    lost = decide_residency_lost(world.pool, "gpu-0", "lease_expired", at=NOON + 20)
    assert lost is not None
    assert world.history.record(lost)

    (event,) = take(world.history, told(A))

    assert isinstance(event, ResidencyChanged)
    assert (event.loaded, world.pool.devices["gpu-0"].residents) == ("", ("a",))
    assert take(world.history, told(A)) == []


def test_a_report_that_comes_again_after_its_engine_was_restarted_changes_nothing() -> None:
    world = loading()
    take(world.history, told(A))
    for healthy in (False, True):
        told_of = DeviceHealth(
            command_id=f"healthy: {healthy}",
            executor="executor-1",
            incarnation="first",
            device="gpu-0",
            healthy=healthy,
            reason="its engine was restarted",
            quiescent=healthy,
            residency=() if healthy else None,
        )
        decided = decide_health(world.pool, told_of, at=NOON + 30)
        assert decided is not None
        assert world.history.record(decided)

    assert take(world.history, told(A)) == []
    assert world.pool.devices["gpu-0"].residents == ()


def test_an_executor_that_was_only_silent_goes_on_with_its_change() -> None:
    world = loading()
    for decided in decide_absent(world.pool, "executor-1", at=NOON + 20):
        assert world.history.record(decided)
    assert world.pool.devices["gpu-0"].residents == ()

    for decided in decide_return(world.pool, "executor-1", "first", at=NOON + 21):
        assert world.history.record(decided)

    assert world.pool.devices["gpu-0"].residents == ("a",)
    assert isinstance(take(world.history, told(A))[0], ResidencyChanged)


def test_a_new_incarnation_says_what_there_is_and_ends_what_was_under_way() -> None:
    world = loading()
    offered = msgspec.structs.replace(world.offers()[0], residency=(B,))

    for decided in decide_attach(world.pool, attach(offered, incarnation="second"), at=NOON + 5):
        assert world.history.record(decided)

    device = world.pool.devices["gpu-0"]
    assert (device.residents, device.changing) == (("b",), None)
    assert take(world.history, told(A)) == []


def test_the_same_incarnation_attaches_again_with_what_the_leader_knows() -> None:
    world = loading()
    take(world.history, told(A))

    again = decide_attach(world.pool, attach(*world.offers()), at=NOON + 5)

    assert again == []
    assert world.pool.devices["gpu-0"].residents == ("a",)


def test_a_granted_change_names_the_incarnation_that_has_to_do_it() -> None:
    change = loading().changes[0]

    assert isinstance(change, ResidencyGranted)
    assert (change.executor, change.incarnation, change.generation) == ("executor-1", "first", 1)

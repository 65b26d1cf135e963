"""Executors come, go, come back and are replaced."""

from uuid import UUID

import msgspec
import pytest

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    AttemptLost,
    Decision,
    DeviceAttached,
    DeviceDetached,
    DeviceResumed,
    DeviceSuspended,
)
from pointsman.scheduler.domain.attachment import (
    decide_absent,
    decide_attach,
    decide_health,
    decide_models,
    decide_return,
)
from pointsman.scheduler.domain.attempts.ends import decide_cancel
from pointsman.scheduler.domain.devices import DeviceStatus
from tests.support.device_health import health
from tests.support.scheduling import (
    NOON,
    A,
    B,
    History,
    accepted,
    attach,
    attached,
    given,
    granted_events,
    model,
    offer,
    suspended,
)


def running(slots: int = 1) -> History:
    """Task A runs on `cpu-0`, task B waits or runs beside it."""
    history = given(model(), attached(slots=slots), (A, accepted()), (B, accepted()))
    history.round(NOON)
    return history


def recorded(history: History, decided: list[Decided]) -> list[Decision]:
    assert [history.record(item) for item in decided] == [True] * len(decided)
    return [event for item in decided for event in item.events]


def test_a_new_executor_brings_its_devices() -> None:
    history = given(model())

    decided = decide_attach(history.pool, attach(offer("cpu-0"), offer("cpu-1")), at=NOON)

    events = recorded(history, decided)
    assert [type(event) for event in events] == [DeviceAttached, DeviceAttached]
    assert set(history.pool.devices) == {"cpu-0", "cpu-1"}


def test_attaching_again_changes_nothing() -> None:
    history = given(model(), attached())

    assert decide_attach(history.pool, attach(offer()), at=NOON) == []


@pytest.mark.parametrize(
    "changed", [offer(slots=2), offer(variants=("fast", "best")), offer(variants=())]
)
def test_a_device_that_changed_is_attached_again(changed: object) -> None:
    history = given(model(), attached())
    assert isinstance(changed, type(offer()))

    events = recorded(history, decide_attach(history.pool, attach(changed), at=NOON))

    assert [type(event) for event in events] == [DeviceAttached]
    assert history.pool.devices["cpu-0"].offer.slots == changed.slots


def test_a_device_that_is_no_longer_offered_is_detached() -> None:
    history = given(model(), attached("cpu-0"), attached("cpu-1"))

    events = recorded(history, decide_attach(history.pool, attach(offer("cpu-0")), at=NOON))

    assert [type(event) for event in events] == [DeviceDetached]
    assert history.pool.devices["cpu-1"].status is DeviceStatus.DETACHED


def test_what_an_earlier_incarnation_ran_is_lost_and_back_at_its_place() -> None:
    history = running()
    command = attach(offer(quiescent=True), incarnation="second")

    events = recorded(history, decide_attach(history.pool, command, at=NOON + 5))

    assert [type(event) for event in events] == [AttemptLost, DeviceAttached]
    assert isinstance(events[0], AttemptLost)
    assert events[0].reason == "executor_replaced"
    grants = granted_events(history.round(NOON + 6))
    assert list(grants) == [A]
    assert (grants[A].attempt, grants[A].incarnation) == (2, "second")


def test_slots_of_an_earlier_incarnation_stay_suspect_unless_the_engine_was_seen_idle() -> None:
    history = running()

    recorded(history, decide_attach(history.pool, attach(offer(), incarnation="second"), at=NOON))

    assert list(history.pool.devices["cpu-0"].suspect) == [(A, 1)]
    assert history.round(NOON + 1) == []


def test_what_an_incarnation_saw_when_it_started_frees_nothing_later() -> None:
    history = running()
    recorded(history, decide_absent(history.pool, "executor-1", at=NOON + 20))

    # The executor was only cut off: it attaches again with the offer of its start.
    command = attach(offer(quiescent=True))
    events = recorded(history, decide_attach(history.pool, command, at=NOON + 30))

    assert [type(event) for event in events] == [DeviceAttached]
    assert list(history.pool.devices["cpu-0"].suspect) == [(A, 1)]
    assert history.round(NOON + 31) == []


def test_a_device_taken_over_by_another_executor_loses_what_ran_on_it() -> None:
    history = running()
    command = attach(offer(), executor="executor-9", incarnation="other")

    events = recorded(history, decide_attach(history.pool, command, at=NOON + 5))

    assert [type(event) for event in events] == [AttemptLost, DeviceAttached]
    assert history.pool.executors() == {"executor-9"}


def test_an_absent_executor_loses_its_devices_and_attempts() -> None:
    history = running(slots=2)

    events = recorded(history, decide_absent(history.pool, "executor-1", at=NOON + 20))

    assert [type(event) for event in events] == [DeviceDetached, AttemptLost, AttemptLost]
    assert history.pool.queued == 2
    assert history.pool.executors() == set()
    assert decide_absent(history.pool, "executor-1", at=NOON + 21) == []


def test_attempts_on_a_device_that_was_detached_before_are_lost_with_their_executor() -> None:
    history = running()
    detached, *_ = decide_absent(history.pool, "executor-1", at=NOON + 20)
    recorded(history, [detached])

    assert history.pool.executors() == {"executor-1"}
    events = recorded(history, decide_absent(history.pool, "executor-1", at=NOON + 21))

    assert [type(event) for event in events] == [AttemptLost]


def test_an_executor_that_is_heard_again_has_its_devices_back_as_they_were() -> None:
    history = running()
    recorded(history, decide_absent(history.pool, "executor-1", at=NOON + 20))

    events = recorded(history, decide_return(history.pool, "executor-1", "first", at=NOON + 25))

    assert [type(event) for event in events] == [DeviceAttached]
    device = history.pool.devices["cpu-0"]
    assert (device.status, list(device.suspect)) == (DeviceStatus.READY, [(A, 1)])
    assert decide_return(history.pool, "executor-1", "first", at=NOON + 26) == []


def test_an_incarnation_that_was_replaced_does_not_come_back() -> None:
    history = running()
    recorded(history, decide_absent(history.pool, "executor-1", at=NOON + 20))

    assert decide_return(history.pool, "executor-1", "zeroth", at=NOON + 25) == []


def test_a_device_is_suspended_and_resumed_once_each() -> None:
    history = given(model(), attached())

    suspension = decide_health(history.pool, health(healthy=False), at=NOON)
    assert suspension is not None
    assert [type(e) for e in recorded(history, [suspension])] == [DeviceSuspended]
    assert decide_health(history.pool, health(healthy=False), at=NOON) is None

    resumption = decide_health(history.pool, health(healthy=True), at=NOON)
    assert resumption is not None
    assert [type(e) for e in recorded(history, [resumption])] == [DeviceResumed]
    assert decide_health(history.pool, health(healthy=True), at=NOON) is None


def test_only_the_incarnation_that_holds_a_device_speaks_of_its_health() -> None:
    history = given(model(), attached(incarnation="second"))

    assert decide_health(history.pool, health(healthy=False), at=NOON) is None
    history = given(model())
    assert decide_health(history.pool, health(healthy=False), at=NOON) is None


def test_a_detached_device_is_not_resumed_by_a_canary() -> None:
    history = given(model(), attached())
    recorded(history, decide_absent(history.pool, "executor-1", at=NOON))

    assert decide_health(history.pool, health(healthy=True), at=NOON) is None
    assert history.pool.devices["cpu-0"].status is DeviceStatus.DETACHED


def test_an_engine_that_restarts_while_its_executor_is_thought_absent_has_nothing_loaded() -> None:
    history = given(model(), attached())
    back = msgspec.structs.replace(health(healthy=True), residency=())
    recorded(history, decide_absent(history.pool, "executor-1", at=NOON))

    for told in (health(healthy=False), back):
        decided = decide_health(history.pool, told, at=NOON + 1)
        assert decided is not None
        recorded(history, [decided])
        assert decide_health(history.pool, told, at=NOON + 1) is None
        assert history.pool.devices["cpu-0"].status is DeviceStatus.DETACHED
    recorded(history, decide_return(history.pool, "executor-1", "first", at=NOON + 2))

    device = history.pool.devices["cpu-0"]
    assert (device.status, device.residents) == (DeviceStatus.READY, ())


def test_an_engine_seen_idle_frees_suspect_slots_and_no_live_ones() -> None:
    history = running(slots=2)
    cancel = decide_cancel(history.pool, CancelTask(command_id="c", task=A, by="cli"), at=NOON + 1)
    suspension = decide_health(history.pool, health(healthy=False), at=NOON + 1)
    assert cancel is not None
    assert suspension is not None
    recorded(history, [cancel, suspension])

    resumption = decide_health(history.pool, health(healthy=True, quiescent=True), at=NOON + 2)
    assert resumption is not None
    recorded(history, [resumption])

    device = history.pool.devices["cpu-0"]
    assert list(device.held) == [(B, 1)]
    assert device.suspect == {}


def test_variants_are_registered_when_they_are_new_or_have_changed() -> None:
    history = given(model("fast"))
    entries = [model("fast"), model("best")]

    events = recorded(history, decide_models(history.pool, entries))
    assert [getattr(event, "variant", "") for event in events] == ["best"]

    faster = model("fast", service_s=0.05)
    assert recorded(history, decide_models(history.pool, [faster])) == [faster]
    assert decide_models(history.pool, [faster, model("best")]) == []


def test_a_device_of_another_pool_is_not_ours() -> None:
    history = given(model())
    history.append(
        UUID(int=3), DeviceDetached(at=NOON, applied_to=0, device="gpu-9", reason="gone")
    )

    assert history.pool.devices == {}


def test_a_suspended_device_is_suspended_still_when_its_executor_returns() -> None:
    history = given(model(), attached("cpu-0"), suspended("cpu-0"))
    for decided in decide_absent(history.pool, "executor-1", at=NOON + 20):
        assert history.record(decided)

    for decided in decide_return(history.pool, "executor-1", "first", at=NOON + 40):
        assert history.record(decided)

    assert history.pool.devices["cpu-0"].status is DeviceStatus.SUSPENDED

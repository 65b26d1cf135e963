"""Tasks that no device of the pool could ever run are refused at the door."""

from typing import Final

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import DeviceMode, ModelRegistered, Residency
from pointsman.contracts.refusals import NOT_LOADABLE
from pointsman.scheduler.domain.admission.able_devices import never_able
from pointsman.scheduler.domain.admission.submitting import (
    OF_THE_MOMENT,
    decide_submit,
    refuse_submit,
)
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    A,
    History,
    accepted,
    attached,
    given,
    model,
    submission,
    suspended,
)
from tests.support.steering import drain, told


def sized(variant: str, memory_mib: float, *, devices: int = 1) -> ModelRegistered:
    registered = model(variant, quality=memory_mib / 1_000)
    return msgspec.structs.replace(registered, memory_mib=memory_mib, devices_per_instance=devices)


def loading(
    device: str = "gpu-0",
    *loadable: str,
    mode: DeviceMode = DeviceMode.DEDICATED,
    memory_mib: float = 0.0,
    endpoint: str = "grpc://10.0.0.1:8001",
) -> events.DeviceAttached:
    return msgspec.structs.replace(
        attached(device, variants=()),
        mode=mode,
        memory_mib=memory_mib,
        endpoint=endpoint,
        loadable=tuple(Residency(variant=variant, slots=1) for variant in loadable),
    )


def refused(history: History, task: SubmitTask | None = None) -> Rejected:
    answer = refuse_submit(history.pool, task or submission(), PAYLOAD, at=NOON)
    assert answer is not None
    return answer


def taken(history: History) -> bool:
    return refuse_submit(history.pool, submission(), PAYLOAD, at=NOON) is None


SMALL_AND_LARGE: Final = (sized("small", 100.0), sized("large", 400.0))


def test_while_no_device_is_attached_nothing_is_known_of_those_to_come() -> None:
    gone = events.DeviceDetached(at=NOON, applied_to=0, device="gpu-0", reason="stopped")

    assert taken(given(*SMALL_AND_LARGE))
    assert taken(given(*SMALL_AND_LARGE, loading(), gone))


def test_a_family_that_no_device_has_or_could_load_is_refused() -> None:
    history = given(*SMALL_AND_LARGE, loading("gpu-0", "label"))

    answer = refused(history)

    assert answer.code == NOT_LOADABLE
    assert "large is loaded on none, and none has it to load; small is" in answer.message
    assert "attach a device" in answer.next


def test_a_model_beyond_every_memory_is_refused_with_its_need_and_the_largest_device() -> None:
    history = given(
        sized("large", 400.0),
        loading("gpu-0", "large", memory_mib=80.0),
        loading("gpu-1", "large", memory_mib=160.0),
        loading("gpu-2", memory_mib=900.0),
    )

    answer = refused(history)

    assert "large needs 400 MiB" in answer.message
    assert "gpu-1, has 160 MiB" in answer.message


@pytest.mark.parametrize("memory_mib", [0.0, 100.0, 5_000.0])
def test_one_variant_that_one_device_could_load_is_enough(memory_mib: float) -> None:
    history = given(
        *SMALL_AND_LARGE,
        loading("gpu-0", "large", memory_mib=80.0),
        loading("gpu-1", "large", "small", memory_mib=memory_mib),
    )

    assert taken(history)


def test_a_pinned_model_must_be_one_that_a_device_could_run() -> None:
    history = given(*SMALL_AND_LARGE, loading("gpu-0", "large", "small", memory_mib=100.0))

    answer = refused(history, msgspec.structs.replace(submission(), model="large"))

    assert answer.code == NOT_LOADABLE
    assert "small" not in answer.message
    assert "other models of its family" in answer.next
    assert taken(history)


def test_a_fixed_device_runs_what_its_engine_has_and_nothing_else() -> None:
    has_it = given(model(), attached())
    has_another = given(model(), attached(variants=("label",)))

    assert taken(has_it)
    assert refused(has_another).code == NOT_LOADABLE


def test_devices_that_are_drained_suspended_or_away_may_be_back() -> None:
    away = events.DeviceDetached(at=NOON, applied_to=0, device="cpu-0", reason="stopped")
    drained = given(model(), loading("gpu-0", "fast"))
    told(drained, drain("gpu-0"))

    assert taken(drained)
    assert taken(given(model(), attached(), suspended()))
    assert taken(given(model(), attached(), away, attached("cpu-1", variants=("label",))))


def test_an_instance_over_several_devices_needs_them_on_one_engine() -> None:
    wide = sized("wide", 400.0, devices=2)
    alone = loading("gpu-0", "wide", memory_mib=200.0)
    elsewhere = loading("gpu-1", "wide", memory_mib=200.0, endpoint="grpc://10.0.0.2:8001")
    beside = loading("gpu-1", "wide", memory_mib=200.0, endpoint="grpc://10.0.0.1:8001#1")

    answer = refused(given(wide, alone, elsewhere))

    assert "takes 2 devices in mode dedicated of one engine, at most 1 are" in answer.message
    assert taken(given(wide, alone, beside))


def test_a_shared_device_takes_no_instance_over_several() -> None:
    wide = sized("wide", 400.0, devices=2)
    shared = [
        loading(name, "wide", mode=DeviceMode.SHARED, memory_mib=900.0) for name in ("a", "b")
    ]

    assert refused(given(wide, *shared)).code == NOT_LOADABLE


def test_a_device_that_comes_changes_the_answer_and_one_that_shrinks_changes_it_back() -> None:
    history = given(*SMALL_AND_LARGE, loading("gpu-0", "large", memory_mib=80.0))
    assert not taken(history)

    history.append(A, loading("gpu-1", "large", memory_mib=400.0))
    assert taken(history)

    history.append(A, loading("gpu-1", "large", memory_mib=399.0))
    assert not taken(history)


def test_a_model_that_is_registered_anew_is_looked_at_anew() -> None:
    history = given(sized("large", 400.0), loading("gpu-0", "large", memory_mib=80.0))
    assert not taken(history)

    history.append(A, sized("large", 80.0))

    assert taken(history)


def test_what_was_accepted_stays_accepted_whatever_is_attached_now() -> None:
    history = given(*SMALL_AND_LARGE, loading("gpu-0", "label"))

    decided = decide_submit(history.pool, submission(), PAYLOAD, at=NOON)

    # A repetition is answered as before, and a replay of the acceptance decides the same.
    assert isinstance(decided, events.TaskAccepted)
    assert NOT_LOADABLE in OF_THE_MOMENT


def test_of_many_variants_the_first_are_named() -> None:
    models = [sized(f"m{number}", 100.0 + number) for number in range(6)]
    history = given(*models, loading("gpu-0", "label"))

    why = never_able(history.pool, [each.variant for each in models])

    assert why is not None
    assert why.endswith("; and 2 more variant(s) likewise")


def test_a_task_that_waits_for_a_device_that_could_never_run_it_says_so() -> None:
    task = accepted(variants=("large",))
    too_small = loading("gpu-0", "large", memory_mib=80.0)
    history = given(*SMALL_AND_LARGE, (A, task), too_small)

    assert waits_for(history.pool, history.pool.tasks[A]).endswith(
        "large needs 400 MiB, the largest device that has it to load, gpu-0, has 80 MiB"
    )


def test_a_drained_device_that_could_load_it_is_named_with_who_drained_it() -> None:
    history = given(model(), loading("gpu-0", "fast"), (A, accepted()))
    told(history, drain("gpu-0"))

    waits = waits_for(history.pool, history.pool.tasks[A])
    assert waits.endswith("gpu-0 is drained by cli:ada: the launch goes first")
    assert "none is attached" not in waits


def test_with_no_device_at_all_that_is_what_it_waits_for() -> None:
    history = given(model(), (A, accepted()))

    assert waits_for(history.pool, history.pool.tasks[A]).endswith("none is attached")

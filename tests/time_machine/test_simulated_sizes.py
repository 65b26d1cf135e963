"""Models that take several devices, and devices that not every model fits on."""

from typing import Final

import pytest

from pointsman.policy.parameters import ParametersError
from pointsman.time_machine.figures import figures_of
from pointsman.time_machine.policies import Fleet, parameters_of, simulate
from pointsman.time_machine.simulation import Outcome
from pointsman.time_machine.traces import TracedTask, TraceError

MIXED: Final = (24_000.0, 48_000.0, 80_000.0)


def task(
    number: int,
    arrival_s: float,
    model: str,
    *,
    devices: int = 1,
    memory_mib: float = 0.0,
    run_s: float = 20.0,
) -> TracedTask:
    return TracedTask(
        number=number,
        arrival_s=arrival_s,
        model=model,
        service_s=run_s,
        load_s=10.0,
        devices_per_instance=devices,
        memory_mib=memory_mib,
    )


def run(tasks: list[TracedTask], *memory_mib: float, devices: int = 3) -> Outcome:
    fleet = Fleet(devices, memory_mib=memory_mib)
    return simulate(tasks, policy="pointsman", fleet=fleet)


def test_a_run_on_two_devices_counts_for_both_and_keeps_others_waiting() -> None:
    outcome = run([task(0, 0.0, "wide", devices=2), task(1, 5.0, "narrow")], devices=2)

    assert outcome.waits_s == [10.0, 35.0]
    assert (outcome.service_s, outcome.load_s, outcome.swaps) == (60.0, 30.0, 2)
    figures = figures_of(outcome, policy="pointsman", parameters={}, slots=2)
    assert figures["utilization"] == pytest.approx(60.0 / (2 * 60.0))


def test_a_model_waits_for_the_device_that_it_fits_on_and_leaves_the_others_alone() -> None:
    large = [task(number, 0.0, f"large-{number}", memory_mib=70_000.0) for number in range(2)]

    outcome = run(large, *MIXED)

    assert outcome.waits_s == [10.0, 40.0]


def test_a_small_model_takes_the_device_that_it_fills_best() -> None:
    small = task(0, 0.0, "small", memory_mib=20_000.0)
    large = task(1, 1.0, "large", memory_mib=70_000.0)
    medium = task(2, 2.0, "medium", memory_mib=40_000.0)

    outcome = run([small, large, medium], *reversed(MIXED))

    assert outcome.waits_s == [10.0, 10.0, 10.0]


def test_a_part_of_a_wide_model_is_what_has_to_fit() -> None:
    wide = task(0, 0.0, "wide", devices=2, memory_mib=90_000.0)

    assert run([wide], *MIXED).waits_s == [10.0]
    with pytest.raises(TraceError, match="takes 2 devices with 45000 MiB each; there are 1"):
        run([wide], 24_000.0, 24_000.0, 80_000.0)


def test_a_model_over_more_devices_than_there_are_is_refused() -> None:
    with pytest.raises(TraceError, match="takes 4 devices; there are 3") as error:
        run([task(0, 0.0, "wide", devices=4)])

    assert error.value.code == "trace_too_large"


def test_one_device_is_told_as_one() -> None:
    with pytest.raises(TraceError, match="large takes a device with 5000 MiB; there are 0"):
        run([task(0, 0.0, "large", memory_mib=5_000.0)], 4_000.0)


def test_other_policies_say_that_they_know_no_sizes() -> None:
    with pytest.raises(ParametersError, match="fifo") as wide:
        simulate([task(0, 0.0, "wide", devices=2)], policy="fifo", fleet=Fleet(3))
    with pytest.raises(ParametersError) as sized:
        simulate([task(0, 0.0, "a")], policy="edf", fleet=Fleet(3, memory_mib=MIXED))

    assert wide.value.code == sized.value.code == "policy_sizes"


def test_the_report_names_the_memory() -> None:
    figures = parameters_of("pointsman", Fleet(3, memory_mib=MIXED))

    assert (figures["memory_mib_least"], figures["memory_mib_most"]) == (24_000.0, 80_000.0)
    assert "memory_mib_least" not in parameters_of("pointsman", Fleet(3))

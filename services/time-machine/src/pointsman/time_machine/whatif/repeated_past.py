"""The circumstances of a recorded load as the simulation takes them."""

from collections.abc import Iterator
from math import isfinite

from pointsman.time_machine.circumstances import Circumstance, DeviceTurns, TaskKept
from pointsman.time_machine.policies import Fleet
from pointsman.time_machine.whatif.calibration import Calibrated
from pointsman.time_machine.whatif.kept_back import union
from pointsman.time_machine.whatif.recorded_load import RecordedLoad


def circumstances(
    load: RecordedLoad, calibrated: Calibrated, fleet: Fleet, places: int
) -> list[Circumstance]:
    """In the order of time, in seconds of the trace.

    Each device of then is so many devices of the fleet, one for each slot, and all of them do what
    it did. Devices of the fleet that were not there then serve all the time.
    """
    found = [
        *_of_devices(load, fleet, places),
        *_of_limits(load),
        *_of_tasks(calibrated),
    ]
    return sorted(found, key=lambda each: each.at)


def _of_devices(load: RecordedLoad, fleet: Fleet, places: int) -> Iterator[Circumstance]:
    numbers = {name: number for number, name in enumerate(load.devices)}
    for at, name, state in load.turned.all_turns(load.end):
        first = numbers[name] * places if name in numbers else fleet.devices
        for device in range(first, min(first + places, fleet.devices)):
            yield DeviceTurns(at - load.begin, device, state)


def _of_limits(load: RecordedLoad) -> Iterator[Circumstance]:
    for each in load.kept_back.circumstances(load.end, load.models):
        yield each._replace(at=each.at - load.begin)


def _of_tasks(calibrated: Calibrated) -> Iterator[Circumstance]:
    for number, kept in calibrated.kept.items():
        for since, until in union([*kept.holds, *kept.waits]):
            yield TaskKept(since, number, held=True)
            if isfinite(until):
                yield TaskKept(until, number, held=False)

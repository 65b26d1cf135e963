"""All that a simulation of a recorded load takes for granted, in sentences."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pointsman.time_machine.policies import OURS, Fleet
from pointsman.time_machine.whatif.calibration import SEED, Calibrated, TimesModel
from pointsman.time_machine.whatif.recorded_load import RecordedLoad

_ALONE: Final = (
    "each task runs once and alone, on the variant that it ran on, as long as all its attempts "
    "together held their slots; of a shared call that is its part"
)
_ARRIVES: Final = (
    "a task arrives when only the queue or an operator keeps it from being granted: its time has "
    "come, its context is there, what it depends on has completed"
)
_KEPT_BACK: Final = (
    "the time in which an operator holds a task or pauses what it belongs to is no wait; limits, "
    "drains, and devices and leaders that are away are in the waits"
)
_LIFTED: Final = (
    "what operators and the fleet did is repeated when it happened, and is over with the time that "
    "is looked at; a device that comes back has nothing loaded"
)
_UNHEDGED: Final = "nothing is hedged, whatever `hedge_share` says"
_SAME: Final = "class, deadline and tenant of a task are those that it was accepted with"


class Fleets(NamedTuple):
    """What the two policies run on."""

    recorded: Fleet
    other: Fleet
    places: bool
    """Whether all is loaded, so that each slot is as good as a device."""
    other_policy: str
    """Its name, without what it is set to."""


def assumptions(
    load: RecordedLoad, calibrated: Calibrated, fleets: Fleets, least_s: float
) -> list[str]:
    """What the simulation took for granted, repeated otherwise or left out.

    `least_s` is added to each wait.
    """
    told = [_ALONE, _SAME, _UNHEDGED, *_of_times(calibrated.times), *_of_loads(load, calibrated)]
    told += [*_of_gangs(calibrated, fleets), *_of_fleets(fleets)]
    if least_s:
        told.append(f"{least_s:.6f} s pass between arrival and grant where nothing is in the way")
    return [
        *told,
        *_of_arrivals(load),
        *_left_out(calibrated),
        *_not_repeated(
            {
                "boosts by senders": calibrated.boosted,
                "choices of another variant than the first": calibrated.not_first,
                **load.not_repeated,
            }
        ),
    ]


def _of_times(times: TimesModel) -> list[str]:
    told = [f"{times.recorded} task(s) take the slot time that was recorded for them"]
    if times.drawn:
        told.append(
            f"{times.drawn} task(s) that did not run to an end take a recorded run of their "
            f"variant, drawn with seed {SEED}: a draw misses a run by "
            f"{_share(times.drawn_error)} on average"
        )
    return told


def _of_loads(load: RecordedLoad, calibrated: Calibrated) -> list[str]:
    times = calibrated.times
    if not load.dedicated:
        return ["every device has all variants loaded: loads and unloads take no time"]
    told = (
        "a load takes what the registry says: none was measured"
        if not times.loads
        else "a load takes the mean of what was measured for its variant, with the unload before it"
        f" ({times.loads} load(s)): it misses one by {_share(times.load_error)} on average; what "
        "was never loaded takes what the registry says"
    )
    return [
        told,
        "nothing is unloaded for being idle, and nothing is loaded before it is asked for",
        "every device can load every model",
    ]


def _of_gangs(calibrated: Calibrated, fleets: Fleets) -> list[str]:
    if not calibrated.gangs or fleets.other_policy == OURS:
        return []
    known = f"{fleets.other_policy} knows no model that takes several devices"
    return [f"{known}: {calibrated.gangs} model(s) that do take one here, under both policies"]


def _of_fleets(fleets: Fleets) -> list[str]:
    recorded, other = fleets.recorded, fleets.other
    told = [
        f"as recorded: {_fleet(recorded)}, those that were attached",
        "devices are free and without a model at the beginning",
    ]
    if other != recorded:
        told.append(f"the other policy: {_fleet(other)}; what was not there then is there always")
    if fleets.places and recorded.slots > 1:
        told.append("as all is loaded, each slot counts as a device")
    elif fleets.other_policy != OURS and other.slots > 1:
        told.append(f"under {fleets.other_policy} each slot counts as a device")
    return told


def _fleet(fleet: Fleet) -> str:
    return f"{fleet.devices} device(s) with {fleet.slots} slot(s)"


def _of_arrivals(load: RecordedLoad) -> list[str]:
    told = [_ARRIVES]
    repeated = [f"{what} {count}" for what, count in load.repeated.items() if count]
    if repeated:
        told += [f"repeated: {', '.join(repeated)}", _LIFTED, _KEPT_BACK]
    return told


def _left_out(calibrated: Calibrated) -> list[str]:
    reasons = (
        (calibrated.cached, "got another one's result"),
        (calibrated.not_run, "were cancelled or failed before they ran"),
        (calibrated.wholes, "ran in parts, which are tasks here"),
        (calibrated.kept_back, "were kept back by a time, another task or an operator to the end"),
    )
    return [f"left out: {count} task(s) that {why}" for count, why in reasons if count]


def _not_repeated(counts: Mapping[str, int]) -> list[str]:
    present = [f"{what} {count}" for what, count in counts.items() if count]
    absent = [what for what, count in counts.items() if not count]
    told: list[str] = []
    if present:
        told.append(f"not repeated, so that only the recorded waits have it: {', '.join(present)}")
    if absent:
        told.append(f"would not be repeated either, and did not happen: {', '.join(absent)}")
    return told


def _share(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share:.1%}"

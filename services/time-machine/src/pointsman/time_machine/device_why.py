"""Why a device loaded what it did, in sentences, from its events alone."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, TypedDict
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import ClassFigures, Decision, DeviceScore, Residency
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.log_rows import row_pages
from pointsman.eventstore.reading import read_event
from pointsman.runtime.errors import FatalError
from pointsman.scheduler.domain.why.residents import Residents
from pointsman.scheduler.domain.why.words import clock, named, span
from pointsman.time_machine.pool_log import recorded
from pointsman.time_machine.replay.differences import TOPIC_OF

_OF_LOADS: Final = (
    events.DeviceAttached,
    events.DeviceDetached,
    events.DeviceSuspended,
    events.DeviceResumed,
    events.ResidencyGranted,
    events.ResidencyChanged,
    events.ResidencyFailed,
    events.SlotHeld,
    events.DrainStarted,
    events.DrainEnded,
    events.PoolPaused,
    events.PoolResumed,
)


class NoSuchDeviceError(FatalError):
    """The log knows no device of this name; the caller names another."""

    code = "no_such_device"

    def __init__(self, device: str) -> None:
        super().__init__(
            f"no device {device!r} was ever attached.",
            next_step="Use one of `pointsman device ls`, or of `pointsman state`.",
        )


class DeviceWhy(TypedDict):
    """Sentences with the positions of the events that they tell of, oldest first."""

    device: str
    told: list[str]
    positions: list[int]


def device_why(log: Path, device: str, *, last: int) -> DeviceWhy:
    """The last events about what is loaded on a device; raises `NoSuchDeviceError`.

    Raises also what `row_pages` raises, `NewerEventError` and `DamagedEventError`.
    """
    codec, stream = EventCodec(), stream_id("device", device)
    topics = sorted(codec.versions(TOPIC_OF[type_] for type_ in _OF_LOADS))
    history: list[_Happened] = []
    residents, gang = Residents(), _Gang(device)
    for row in chain.from_iterable(row_pages(log, topics=topics)):
        event = read_event(codec, recorded(row))
        cut = residents.cut_by(event)
        residents.take(event)
        if gang.concerns(event):
            history.append(_Happened(row[0], _as_a_member(event)))
        elif UUID(row[1]) == stream and isinstance(event, events.SlotHeld):
            history.append(_Happened(row[0], _kept_free(event, residents.expected_for(event))))
        elif UUID(row[1]) == stream:
            history.append(_Happened(row[0], [*sentences(event), *_cut(cut, event)]))
    if not history:
        raise NoSuchDeviceError(device)
    shown = history[-last:]
    return {
        "device": device,
        "told": [" ".join(each.told) for each in shown],
        "positions": [each.position for each in shown],
    }


class _Happened(NamedTuple):
    position: int
    told: list[str]


class _Gang:
    """Follows which instance of another device takes a device as well."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lead = self._variant = self._incarnation = ""

    def concerns(self, event: Decision) -> bool:
        """Whether an event of another device takes this one, or frees it."""
        if isinstance(event, events.ResidencyGranted) and self._device in event.members:
            self._lead, self._variant = event.device, event.load
            self._incarnation = event.incarnation
            return True
        if not isinstance(
            event, events.ResidencyChanged | events.ResidencyFailed | events.DeviceAttached
        ):
            return False
        if isinstance(event, events.DeviceAttached) and event.incarnation == self._incarnation:
            return False
        has = event.residency or ()
        if event.device != self._lead or any(each.variant == self._variant for each in has):
            return False
        self._lead = self._variant = self._incarnation = ""
        return True


def sentences(event: Decision) -> list[str]:
    """What an event of a device means for what is loaded on it."""
    tell = _TELLERS.get(type(event))
    return [] if tell is None else tell(event)


def _attached(event: events.DeviceAttached) -> list[str]:
    how = f"attached by {event.executor} in mode {event.mode}"
    return [f"{clock(event.at)}: {how} with {_loaded(event.residency)}."]


def _cut(change: events.ResidencyGranted | None, event: Decision) -> list[str]:
    """What became of a change whose executor did not live to report it, as another attaches."""
    if change is None or not isinstance(event, events.DeviceAttached):
        return []
    what = f"The load of {change.load}" if change.load else f"The unload of {_away(change)}"
    came_through = any(each.variant == change.load for each in event.residency)
    how = "was not reported" if came_through else "was cut"
    return [f"{what}, which began at {clock(change.at)}, {how}: its executor was gone."]


def _as_a_member(event: Decision) -> list[str]:
    match event:
        case events.ResidencyGranted():
            return [f"{clock(event.at)}: taken by the instance of {event.load} on {event.device}."]
        case events.ResidencyChanged() | events.ResidencyFailed() | events.DeviceAttached():
            return [f"{clock(event.at)}: given back by {event.device}; it has nothing loaded."]
        case _:
            return []


def _granted(event: events.ResidencyGranted) -> list[str]:
    told = [f"{clock(event.at)}: {_change(event)}, because {event.reason or event.cause}."]
    if event.members:
        told.append(f"Its instance takes {', '.join(event.members)} as well.")
    if event.by:
        told.append(f"{event.by} asked for it.")
    if event.task:
        whose = f" of tenant {event.tenant}" if event.tenant else ""
        told.append(f"It is for task {event.task}{whose}.")
    if event.figures is not None:
        told.append(_figures(event.figures, event))
    told += _scores(event)
    return told


def _change(event: events.ResidencyGranted) -> str:
    unload = _away(event)
    if not event.load:
        return f"it was to unload {unload}"
    away = f" after unloading {unload}" if unload else ""
    unload_s = event.expected_unload_s
    of_it = f", {span(unload_s)} of it to unload" if unload_s else ""
    return f"it was to load {event.load}{away}, expected to take {span(event.expected_s)}{of_it}"


def _away(event: events.ResidencyGranted) -> str:
    return ", ".join(event.unload)


def _figures(figures: ClassFigures, event: events.ResidencyGranted) -> str:
    due = (
        f"its head had to begin {span(figures.begin_in_s)} later"
        if figures.begin_in_s > 0
        else f"its head was {span(-figures.begin_in_s)} late"
    )
    return (
        f"Of family {figures.family} ({', '.join(figures.variants)}) {figures.backlog} task(s) "
        f"waited with {figures.holders} device(s) that have a model for them; {due}; the class had "
        f"waited {span(figures.waited_s)} of the {span(figures.bound_s)} that it may; the device "
        f"could spend {span(max(0.0, figures.credit_s))} on a {_cost(event)}."
    )


def _cost(event: events.ResidencyGranted) -> str:
    if not event.expected_unload_s:
        return f"load of {span(event.expected_s)}"
    return f"swap of {span(event.expected_s)}, the unload included"


def _scores(event: events.ResidencyGranted) -> list[str]:
    others = [score for score in event.scores if score.device != event.device]
    chosen = next((score for score in event.scores if score.device == event.device), None)
    if chosen is None:
        return []
    told = [f"Its suitability was {chosen.score:.3f} ({_parts(chosen)})."]
    if others:
        named = "; ".join(f"{score.device} {score.score:.3f} ({_parts(score)})" for score in others)
        told.append(f"Others that could have taken it: {named}.")
    return told


def _parts(score: DeviceScore) -> str:
    heat = "not measured" if score.temperature is None else f"{score.temperature:.2f}"
    return (
        f"memory {score.memory:.2f}, idleness {score.utilisation:.2f}, temperature {heat}, "
        f"affinity {score.affinity:.2f}"
    )


def _changed(event: events.ResidencyChanged) -> list[str]:
    what = (
        f"{event.loaded} was loaded in {span(event.load_s)}" if event.loaded else "it was unloaded"
    )
    if event.unload_s:
        first = "after an unload of" if event.loaded else "in"
        what = f"{what} {first} {span(event.unload_s)}"
    return [f"{clock(event.at)}: {what}; it has {_loaded(event.residency)}."]


def _failed(event: events.ResidencyFailed) -> list[str]:
    left = "" if event.residency is None else f"; it has {_loaded(event.residency)}"
    again = f" It is tried again from {clock(event.retry_at)} on." if event.retry_at else ""
    told = f"{clock(event.at)}: that failed: {event.message} ({event.code}){left}."
    return [told + again]


def _kept_free(event: events.SlotHeld, expected: Sequence[str] | None = None) -> list[str]:
    """`expected` are the devices that could take it; None: it is not known which."""
    because = f"because {event.reason}"
    if expected is not None:
        who = named(expected)
        because = f"because {who} was expected to take it before a load would pay"
        because = because if who else "though no device could take it sooner"
    return [
        (
            f"{clock(event.at)}: kept free until {clock(event.until)} and loaded nothing for task "
            f"{event.task} of family {event.family} ({', '.join(event.variants)}), {because}."
        )
    ]


def _detached(event: events.DeviceDetached) -> list[str]:
    return [f"{clock(event.at)}: detached, because {event.reason}."]


def _suspended(event: events.DeviceSuspended) -> list[str]:
    return [f"{clock(event.at)}: suspended, because {event.reason}."]


def _resumed(event: events.DeviceResumed) -> list[str]:
    has = "" if event.residency is None else f" with {_loaded(event.residency)}"
    return [f"{clock(event.at)}: it serves again{has}."]


def _drain_started(event: events.DrainStarted) -> list[str]:
    return [f"{clock(event.at)}: drained by {event.by}: {event.reason}."]


def _drain_ended(event: events.DrainEnded) -> list[str]:
    return [f"{clock(event.at)}: given work again by {event.by}: {event.reason}."]


def _loaded(residency: Sequence[Residency]) -> str:
    return ", ".join(each.variant for each in residency) or "nothing loaded"


# Each entry takes the event type that it stands under; the table is what keeps them together.
_TELLERS: dict[type[Decision], Callable[..., list[str]]] = {
    events.DeviceAttached: _attached,
    events.DeviceDetached: _detached,
    events.DeviceSuspended: _suspended,
    events.DeviceResumed: _resumed,
    events.ResidencyGranted: _granted,
    events.ResidencyChanged: _changed,
    events.ResidencyFailed: _failed,
    events.SlotHeld: _kept_free,
    events.DrainStarted: _drain_started,
    events.DrainEnded: _drain_ended,
}

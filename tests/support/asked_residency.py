"""Devices whose models the leader chooses, and how what it was asked for ends."""

from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import DeviceMode, Residency, ResidencyGranted
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.attempts.ends import decide_report
from tests.support.scheduling import (
    NOON,
    History,
    accepted,
    attached,
    given,
    granted_events,
    model,
    report,
)

MODELS: Final = ("fast", "slow")


def dedicated(
    device: str = "gpu-0",
    *,
    loaded: tuple[str, ...] = (),
    mode: DeviceMode = DeviceMode.DEDICATED,
    memory_mib: float = 128.0,
) -> events.DeviceAttached:
    return msgspec.structs.replace(
        attached(device, variants=loaded),
        mode=mode,
        memory_mib=memory_mib,
        loadable=tuple(Residency(variant=variant, slots=1) for variant in MODELS),
    )


def a_pool(*devices: events.DeviceAttached) -> History:
    return given(*(model(variant, family=variant) for variant in MODELS), *devices)


def changes(history: History, at: float = NOON) -> list[ResidencyGranted]:
    decided = history.round(at)
    return [
        event for item in decided for event in item.events if isinstance(event, ResidencyGranted)
    ]


def change_ends(
    history: History, change: ResidencyGranted, *loaded: str, at: float = NOON + 1
) -> None:
    history.append(
        stream_id("device", change.device),
        events.ResidencyChanged(
            at=at,
            applied_to=0,
            device=change.device,
            generation=change.generation,
            residency=tuple(Residency(variant=variant, slots=1) for variant in loaded),
            loaded=change.load,
        ),
    )


def runs(history: History, task: UUID, at: float = NOON) -> None:
    history.append(task, accepted(family="fast", variants=("fast",)))
    assert task in granted_events(history.round(at))


def completes(history: History, task: UUID, device: str, at: float = NOON + 1) -> None:
    decided = decide_report(history.pool, report(task, 1, device=device), at=at, draw=0.0)
    assert decided is not None
    assert history.record(decided)

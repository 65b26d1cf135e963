"""Why a device has loaded what it did, in words."""

from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.events import ClassFigures, Decision, DeviceScore, Residency
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.time_machine.device_why import NoSuchDeviceError, device_why, sentences
from tests.support.scheduling import NOON, attached

GRANTED = events.ResidencyGranted(
    at=NOON,
    applied_to=9,
    device="gpu-0",
    generation=3,
    executor="executor-1",
    incarnation="first",
    unload=("lead",),
    load="hashed",
    expected_s=22.0,
    reason="its class has waited longer than its bound",
    task="t-1",
    tenant="acme",
    figures=ClassFigures(
        rule="overdue",
        family="summarize",
        variants=("hashed", "lead"),
        credit_s=4.0,
        backlog=7,
        holders=0,
        begin_in_s=-3.0,
        waited_s=61.0,
        bound_s=60.0,
    ),
    scores=(
        DeviceScore("gpu-0", 0.9, 1.0, 0.75, None, 1.0),
        DeviceScore("gpu-1", 0.4, 0.5, 0.25, 0.5, 0.0),
    ),
)


def test_a_load_tells_for_whom_by_which_rule_and_instead_of_what() -> None:
    told = " ".join(sentences(GRANTED))

    assert "load hashed after unloading lead, expected to take 22 s" in told
    assert "because its class has waited longer than its bound" in told
    assert "for task t-1 of tenant acme" in told
    assert "7 task(s) waited with 0 device(s)" in told
    assert "its head was 3 s late" in told
    assert "waited 61 s of the 60 s that it may" in told
    assert "could spend 4 s on a load of 22 s" in told
    assert "suitability was 0.900 (memory 1.00, idleness 0.75, temperature not measured" in told
    assert "gpu-1 0.400" in told


def test_how_it_ended_and_why_a_slot_stayed_free_are_told() -> None:
    loaded = events.ResidencyChanged(
        at=NOON,
        applied_to=9,
        device="gpu-0",
        generation=3,
        residency=(Residency(variant="hashed", slots=1),),
        loaded="hashed",
        load_s=21.5,
    )
    refused = events.ResidencyFailed(
        at=NOON, applied_to=9, device="gpu-0", generation=3, code="no_memory", message="full"
    )
    held = events.SlotHeld(
        at=NOON,
        applied_to=9,
        device="gpu-0",
        family="summarize",
        variants=("hashed",),
        task="t-1",
        until=NOON + 5,
        reason="gpu-1 has its model",
    )

    assert sentences(loaded) == ["12:00:00.000: hashed was loaded in 21.5 s; it has hashed."]
    assert sentences(refused) == ["12:00:00.000: that failed: full (no_memory)."]
    assert "kept free until 12:00:05.000 and loaded nothing for task t-1" in sentences(held)[0]


def test_an_unload_is_told_as_a_part_of_what_the_swap_costs() -> None:
    dear = msgspec.structs.replace(GRANTED, expected_s=23.5, expected_unload_s=1.5)
    done = events.ResidencyChanged(
        at=NOON,
        applied_to=9,
        device="gpu-0",
        generation=3,
        residency=(Residency(variant="hashed", slots=1),),
        loaded="hashed",
        load_s=21.5,
        unload_s=1.25,
        unloads_s={"lead": 1.25},
    )
    emptied = msgspec.structs.replace(done, residency=(), loaded="", load_s=0.0)

    told = " ".join(sentences(dear))

    assert "expected to take 23.5 s, 1.5 s of it to unload" in told
    assert "could spend 4 s on a swap of 23.5 s, the unload included" in told
    assert "hashed was loaded in 21.5 s after an unload of 1.25 s; it has" in sentences(done)[0]
    assert "it was unloaded in 1.25 s; it has nothing" in sentences(emptied)[0]


async def write(log: Path, *recorded: tuple[str, int, Decision]) -> None:
    """A log of events of devices: device, version and event."""
    codec = EventCodec()
    async with SqliteEventStore(log) as store:
        for device, version, event in recorded:
            stream, topic = stream_id("device", device), codec.topic(event)
            new = NewEvent(uuid4(), stream, version, topic, codec.encode(event), event)
            await store.append(Append([new]))


async def test_a_device_that_another_ones_instance_takes_tells_so(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    taken = msgspec.structs.replace(GRANTED, unload=(), members=("gpu-1",))
    has = (Residency(variant=taken.load, slots=1),)
    loaded = events.ResidencyChanged(
        at=NOON + 20, applied_to=4, device="gpu-0", generation=1, residency=has, loaded=taken.load
    )
    emptied = msgspec.structs.replace(loaded, at=NOON + 30, residency=(), loaded="")
    await write(
        log,
        ("gpu-0", 1, attached("gpu-0")),
        ("gpu-1", 1, attached("gpu-1")),
        ("gpu-0", 2, taken),
        ("gpu-0", 3, loaded),
        ("gpu-0", 4, emptied),
    )

    lead, member = device_why(log, "gpu-0", last=9), device_why(log, "gpu-1", last=9)

    assert "Its instance takes gpu-1 as well." in lead["told"][1]
    assert member["positions"] == [2, 3, 5]
    assert f"taken by the instance of {taken.load} on gpu-0" in member["told"][1]
    assert "given back by gpu-0" in member["told"][2]


async def test_the_last_events_of_a_device_are_told_with_their_positions(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    await write(
        log,
        ("gpu-0", 1, attached("gpu-0")),
        ("cpu-0", 1, attached()),
        ("gpu-0", 2, GRANTED),
    )

    all_of_it = device_why(log, "gpu-0", last=9)
    newest = device_why(log, "gpu-0", last=1)
    with pytest.raises(NoSuchDeviceError):
        device_why(log, "gpu-9", last=9)

    assert all_of_it["positions"] == [1, 3]
    assert newest["positions"] == [3]
    assert "attached by executor-1" in all_of_it["told"][0]

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


def begun_anew(*loaded: str) -> Decision:
    return msgspec.structs.replace(
        attached("gpu-0", variants=loaded), at=NOON + 3, incarnation="second"
    )


async def test_a_load_whose_executor_did_not_live_to_end_it_is_told_as_cut(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    taken = msgspec.structs.replace(GRANTED, members=("gpu-1",))
    repeated = msgspec.structs.replace(attached("gpu-0"), at=NOON + 1)
    await write(
        log,
        ("gpu-0", 1, attached("gpu-0")),
        ("gpu-1", 1, attached("gpu-1")),
        ("gpu-0", 2, taken),
        ("gpu-0", 3, repeated),
        ("gpu-0", 4, begun_anew()),
    )

    lead, member = device_why(log, "gpu-0", last=9), device_why(log, "gpu-1", last=9)

    assert lead["told"][2].endswith("in mode fixed with fast.")
    assert lead["told"][3] == (
        "12:00:03.000: attached by executor-1 in mode fixed with nothing loaded. The load of "
        "hashed, which began at 12:00:00.000, was cut: its executor was gone."
    )
    assert member["positions"] == [2, 3, 5]
    assert "given back by gpu-0" in member["told"][2]


@pytest.mark.parametrize(
    ("unload", "load", "words"),
    [
        ((), "hashed", "The load of hashed, which began at 12:00:00.000, was not reported: its"),
        (("lead",), "", "The unload of lead, which began at 12:00:00.000, was cut: its executor"),
    ],
    ids=["its model is there", "an unload"],
)
async def test_what_an_executor_did_not_live_to_report_is_told_by_what_is_there(
    tmp_path: Path, unload: tuple[str, ...], load: str, words: str
) -> None:
    log = tmp_path / "log.db"
    granted = msgspec.structs.replace(GRANTED, unload=unload, load=load)
    await write(log, ("gpu-0", 1, granted), ("gpu-0", 2, begun_anew("hashed")))

    told = device_why(log, "gpu-0", last=1)["told"]

    assert words in told[0]


KEPT_FREE = events.SlotHeld(
    at=NOON,
    applied_to=9,
    device="gpu-0",
    family="summarize",
    variants=("fast",),
    task="t-1",
    until=NOON + 5,
    reason="a device that has its model is expected to take it before a load would pay",
)


async def test_a_device_that_was_kept_free_tells_who_was_expected(tmp_path: Path) -> None:
    loading = msgspec.structs.replace(GRANTED, device="gpu-2", unload=(), load="fast")
    drained = events.DrainStarted(
        at=NOON, applied_to=9, device="gpu-1", by="cli:ada", reason="a new card"
    )
    resumed = events.DrainEnded(at=NOON, applied_to=9, device="gpu-1", by="cli:ada", reason="there")
    failed = events.ResidencyFailed(
        at=NOON, applied_to=9, device="gpu-2", generation=3, code="no_memory", message="full"
    )
    log = tmp_path / "log.db"
    await write(
        log,
        ("gpu-0", 1, KEPT_FREE),
        ("gpu-1", 1, attached("gpu-1")),
        ("gpu-2", 1, loading),
        ("gpu-0", 2, KEPT_FREE),
        ("gpu-2", 2, failed),
        ("gpu-1", 2, drained),
        ("gpu-0", 3, KEPT_FREE),
        ("gpu-1", 3, resumed),
        ("gpu-0", 4, KEPT_FREE),
    )

    told = [each.partition("), ")[2] for each in device_why(log, "gpu-0", last=9)["told"]]

    sooner = "was expected to take it before a load would pay."
    assert told == [
        "because a device that has its model is expected to take it before a load would pay.",
        f"because gpu-1, gpu-2 (which was loading it) {sooner}",
        "though no device could take it sooner.",
        f"because gpu-1 {sooner}",
    ]


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

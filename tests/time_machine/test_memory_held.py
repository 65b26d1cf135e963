"""What devices held that load on demand, beside every model resident."""

from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, Residency
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.time_machine.memory_held import MemoryHeld, held_by, memory_held
from tests.support.asked_residency import dedicated
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.scheduling import NOON, attached, model

MODELS = (
    msgspec.structs.replace(model("fast"), memory_mib=100.0),
    msgspec.structs.replace(model("slow"), memory_mib=300.0),
)


def granted(at_s: float, load: str, *unload: str, generation: int = 1) -> events.ResidencyGranted:
    return events.ResidencyGranted(
        at=NOON + at_s,
        applied_to=0,
        device="gpu-0",
        generation=generation,
        executor="executor-1",
        incarnation="first",
        load=load,
        unload=unload,
    )


def changed(at_s: float, *loaded: str, generation: int = 1) -> events.ResidencyChanged:
    return events.ResidencyChanged(
        at=NOON + at_s,
        applied_to=0,
        device="gpu-0",
        generation=generation,
        residency=tuple(Residency(variant=name, slots=1) for name in loaded),
        loaded=loaded[0] if loaded else "",
    )


def detached(at_s: float) -> events.DeviceDetached:
    return events.DeviceDetached(at=NOON + at_s, applied_to=0, device="gpu-0", reason="stopped")


def held(*history: Decision, begin_s: float = 0.0, end_s: float = 100.0) -> MemoryHeld:
    return held_by([*MODELS, *history], "main", begin=NOON + begin_s, end=NOON + end_s)


def test_a_device_holds_a_model_from_the_grant_of_its_load_until_it_is_unloaded() -> None:
    report = held(
        dedicated(), granted(20, "slow"), changed(30, "slow"), granted(60, "", "slow"), changed(70)
    )

    assert report["held_mib"] == 300.0 * 50 / 100
    assert (report["all_resident_mib"], report["models"]) == (400.0, 2)
    assert report["share"] == 0.375
    assert [(each["device"], each["mean_mib"]) for each in report["devices"]] == [("gpu-0", 150.0)]


def test_during_a_change_the_greater_of_before_and_after_counts() -> None:
    report = held(dedicated(loaded=("slow",)), granted(0, "fast", "slow"), changed(50, "fast"))

    assert report["held_mib"] == (300.0 + 100.0) / 2


def test_a_load_that_failed_holds_nothing() -> None:
    failed = events.ResidencyFailed(
        at=NOON + 10, applied_to=0, device="gpu-0", generation=1, code="x", message="y"
    )

    assert held(dedicated(), granted(0, "slow"), failed)["held_mib"] == 30.0


def test_time_without_a_device_counts_for_neither_side() -> None:
    report = held(dedicated(loaded=("slow",)), detached(25))

    assert (report["seconds"], report["held_mib"], report["share"]) == (25.0, 300.0, 0.75)


def test_a_part_of_a_log_begins_with_what_was_loaded_by_then() -> None:
    report = held(dedicated(), granted(20, "slow"), changed(30, "slow"), begin_s=50, end_s=60)

    assert (report["seconds"], report["held_mib"]) == (10.0, 300.0)


@pytest.mark.parametrize(
    "device",
    [attached("cpu-0"), msgspec.structs.replace(dedicated(), pool="other")],
    ids=["fixed", "of another pool"],
)
def test_devices_that_load_nothing_here_are_left_out(device: events.DeviceAttached) -> None:
    report = held(device)

    assert (report["devices"], report["share"], report["seconds"]) == ([], None, 0.0)


@settings(max_examples=25, deadline=None)
@over(
    arrivals=st.lists(
        st.tuples(st.sampled_from("abcd"), st.floats(0.0, 2_000.0)), min_size=1, max_size=20
    ),
    modes=st.lists(
        st.sampled_from([DeviceMode.DEDICATED, DeviceMode.SHARED]), min_size=1, max_size=3
    ),
)
def test_no_device_is_held_to_have_more_than_its_memory(
    arrivals: list[tuple[str, float]], modes: list[DeviceMode]
) -> None:
    devices = {f"gpu-{n}": mode for n, mode in enumerate(modes)}
    models = [loading_model(name, memory_mib=100.0) for name in "abcd"]
    world = LoadingWorld(models, devices, memory_mib=220.0, verify=False)
    for variant, at_s in arrivals:
        world.submit(variant, at_s=at_s)
    world.run()

    history = [entry.event for entry in world.history.entries]
    report = held_by(history, "main", begin=NOON, end=world.now)

    for each in report["devices"]:
        assert 0.0 <= each["mean_mib"] <= 220.0
    assert report["all_resident_mib"] == pytest.approx(400.0)
    total = sum(each["mean_mib"] for each in report["devices"])
    assert report["held_mib"] == pytest.approx(total, abs=0.01)


async def test_a_log_file_gives_the_same(tmp_path: Path) -> None:
    codec, log = EventCodec(), tmp_path / "log.db"
    history: list[Decision] = [*MODELS, dedicated(), granted(20, "slow"), changed(30, "slow")]
    async with SqliteEventStore(log) as store:
        for number, event in enumerate(history):
            stream = stream_id("device", f"stream-{number}")
            topic, state = codec.topic(event), codec.encode(event)
            await store.append(Append([NewEvent(uuid4(), stream, 1, topic, state, event)]))

        report = memory_held(log, "main", begin=NOON, end=NOON + 100)

    assert report["held_mib"] == 240.0

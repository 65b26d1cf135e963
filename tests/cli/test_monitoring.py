"""`pointsman snapshot` and `pointsman alert`."""

import io

from pointsman.cli.failures import ExitCode
from pointsman.cli.monitoring import show_snapshot
from pointsman.cli.output import OutputFormat, Printer
from pointsman.contracts.resource_monitor import (
    AlertRow,
    DeviceState,
    PoolFigures,
    ReadingRow,
    Snapshot,
)
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import CommandLine, completed_task

NOON = 1_767_268_800.0


def shown(snapshot: Snapshot) -> list[list[str]]:
    """The words of each line that is not empty."""
    text = io.StringIO()
    show_snapshot(Printer(OutputFormat.TABLE, stdout=text), snapshot)
    return [line.split() for line in text.getvalue().splitlines() if line]


def snapshot_of(
    *,
    devices: tuple[DeviceState, ...] = (),
    pools: tuple[PoolFigures, ...] = (),
    alerts: tuple[AlertRow, ...] = (),
) -> Snapshot:
    return Snapshot(
        at=NOON,
        position=9,
        inputs=(),
        devices=devices,
        pools=pools,
        families=(),
        quality=(),
        forecasts=(),
        alerts=alerts,
    )


def test_an_empty_section_says_so() -> None:
    lines = shown(snapshot_of())

    assert lines[0] == ["at", "2026-01-01", "12:00:00", "UTC,", "log", "position", "9"]
    assert lines.count(["none"]) == 7


def test_what_is_not_known_is_not_shown_as_a_figure() -> None:
    reading = ReadingRow(device="gpu-0", device_class="gpu", state="unknown", source="nvml")
    device = DeviceState(
        device="gpu-0",
        device_class="gpu",
        executor="executor-1",
        pool_state="ready",
        reading=reading,
        canary="unknown",
    )

    lines = shown(snapshot_of(devices=(device,), pools=(PoolFigures(pool="main"),)))

    assert ["gpu-0", "gpu", "ready", "unknown", "nvml", *"------", "unknown", "-"] in lines
    assert ["main", "unknown", "unknown", "-", "-", "-", "unknown"] in lines


def test_an_alerts_value_has_its_unit() -> None:
    share = AlertRow(
        alert="gpu_memory",
        subject="gpu-0",
        state="raised",
        value=0.954,
        threshold=0.9,
        unit="1",
        since=NOON,
        raised_at=NOON + 10,
        position=4,
    )
    time = AlertRow(
        alert="task_latency",
        subject="main",
        state="raised",
        value=0.25,
        threshold=0.2,
        unit="s",
        since=NOON,
        raised_at=NOON + 3,
        position=5,
    )

    lines = [" ".join(line) for line in shown(snapshot_of(alerts=(share, time)))]

    assert any(line.startswith("gpu_memory gpu-0 raised 95.4% 90.0%") for line in lines)
    assert any(line.startswith("task_latency main raised 250 ms 200 ms") for line in lines)


async def test_the_snapshot_of_a_running_stack_has_its_devices_and_tasks(
    pointsman: CommandLine,
) -> None:
    completed_task(pointsman)

    def heard_of_devices() -> bool:
        # The monitor asks the scheduler every other second.
        return bool(pointsman.json("snapshot")["devices"])

    await wait_until(heard_of_devices, timeout_s=30)
    text = pointsman("snapshot")
    seen = pointsman.json("snapshot")

    assert text.returncode == ExitCode.OK
    assert "DEVICES" in text.stdout
    assert [device["device_class"] for device in seen["devices"]] == ["noop"]
    assert "summarize" in {family["family"] for family in seen["families"]}
    assert {each["name"] for each in seen["inputs"]} >= {"devices", "feed", "nvml"}


def test_alerts_are_listed_as_an_array(pointsman: CommandLine) -> None:
    standing = pointsman.json("alert", "ls")
    everything = pointsman.json("alert", "ls", "--all")

    assert {row["state"] for row in standing} <= {"raised"}
    assert {row["state"] for row in everything} <= {"raised", "cleared"}

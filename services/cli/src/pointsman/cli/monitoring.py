"""What the resource monitor answers, as tables."""

from collections.abc import Sequence
from typing import Final

from pointsman.cli.documents import document
from pointsman.cli.output import Column, Document, Printer, clock, column, figures, seconds, share
from pointsman.contracts.message import Message
from pointsman.contracts.resource_monitor import UNKNOWN, DeviceState, Snapshot

MONITOR: Final = "resource_monitor"


def _known(value: object) -> str:
    """A figure that every pool has, whether anybody knows it or not."""
    return UNKNOWN if value is None else str(value)


def _rate(value: object) -> str:
    return f"{figures(value)}/s" if isinstance(value, int | float) else "-"


def _degrees(value: object) -> str:
    return f"{value:.0f} °C" if isinstance(value, int | float) else "-"


def _watts(value: object) -> str:
    return f"{value:.0f} W" if isinstance(value, int | float) else "-"


def _in_unit(name: str) -> Column:
    """A value or threshold of an alert, in the unit that stands beside it."""

    def cell(row: Document) -> str:
        value = row.get(name)
        if row.get("unit") == "s":
            return seconds(value)
        return f"{value:.1%}" if isinstance(value, int | float) else "-"

    return Column(name, cell)


ALERT_COLUMNS: Final = (
    column("alert"),
    column("subject"),
    column("state"),
    _in_unit("value"),
    _in_unit("threshold"),
    column("since", text=clock),
    column("raised", "raised_at", clock),
    column("cleared", "cleared_at", clock),
    column("reason"),
    column("position"),
)

_DEVICES: Final = (
    column("device"),
    column("class", "device_class"),
    column("state", "pool_state"),
    column("readings"),
    column("source"),
    column("busy", "utilisation", share),
    column("memory", text=share),
    column("temperature", "temperature_c", _degrees),
    column("power", "power_w", _watts),
    column("slots"),
    column("occupied"),
    column("canary"),
    column("age", "canary_age_s", seconds),
)
_POOLS: Final = (
    column("pool"),
    column("queued", text=_known),
    column("active", "granted", _known),
    column("p95", "latency_p95_s", seconds),
    column("stalled for", "stall_s", seconds),
    column("errors", "error_rate", share),
    column("ended", text=_known),
)
_FAMILIES: Final = tuple(
    column(name)
    for name in (
        "family",
        "accepted",
        "open",
        "completed",
        "failed",
        "cancelled",
        "expired",
        "shed",
        "abandoned",
    )
)
_QUALITY: Final = (
    column("family"),
    column("variant"),
    column("ratings"),
    column("mean", text=share),
    column("low", text=share),
    column("high", text=share),
    column("measured", "at", clock),
)
_FORECASTS: Final = (
    column("family"),
    column("state"),
    column("measured", "measured_per_s", _rate),
    column("average", "ewma_per_s", _rate),
    column("naive", "naive_per_s", _rate),
    column("error of average", "ewma_wape", share),
    column("of naive", "naive_wape", share),
    column("buckets"),
    column("age", "age_s", seconds),
)
_INPUTS: Final = (
    column("input", "name"),
    column("state"),
    column("age", "age_s", seconds),
    column("detail"),
)


def show_snapshot(printer: Printer, seen: Snapshot) -> None:
    """Sections for people; one without rows says so."""
    printer.line(f"at {clock(seen.at)} UTC, log position {seen.position}")
    _section(printer, "DEVICES", [_device(row) for row in seen.devices], _DEVICES)
    _section(printer, "TASKS NOW", _documents(seen.pools), _POOLS)
    _section(printer, "TASKS IN ALL", _documents(seen.families), _FAMILIES)
    _section(printer, "QUALITY BY RATINGS", _documents(seen.quality), _QUALITY)
    _section(printer, "DEMAND IN THE NEXT BUCKET", _documents(seen.forecasts), _FORECASTS)
    _section(printer, "ALERTS THAT STAND", _documents(seen.alerts), ALERT_COLUMNS)
    _section(printer, "WHAT THIS RESTS ON", _documents(seen.inputs), _INPUTS)


def _section(
    printer: Printer, title: str, rows: Sequence[Document], columns: Sequence[Column]
) -> None:
    printer.line(f"\n{title}")
    if rows:
        printer.rows(rows, columns)
    else:
        printer.line("none")


def _device(row: DeviceState) -> Document:
    """A device beside its reading, in one row."""
    return {**document(row.reading), **document(row), "readings": row.reading.state}


def _documents(rows: Sequence[Message]) -> list[Document]:
    return [document(row) for row in rows]

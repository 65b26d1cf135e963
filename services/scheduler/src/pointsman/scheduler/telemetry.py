"""Every counter and histogram of the scheduler."""

from typing import Final

from opentelemetry import metrics

_meter: Final = metrics.get_meter("pointsman.scheduler")

DECISIONS: Final = _meter.create_counter(
    "pointsman.scheduler.decisions",
    unit="{decision}",
    description="Recorded decisions of rounds by event",
)
SUBMISSIONS: Final = _meter.create_counter(
    "pointsman.scheduler.submissions",
    unit="{task}",
    description="Answers to submissions by status",
)
STEERINGS: Final = _meter.create_counter(
    "pointsman.scheduler.steerings",
    unit="{command}",
    description="Commands of operators by verb and answer",
)

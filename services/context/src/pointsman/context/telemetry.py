"""Every counter and histogram of the context service."""

from typing import Final

from opentelemetry import metrics

_meter: Final = metrics.get_meter("pointsman.context")

ASSEMBLIES: Final = _meter.create_counter(
    "pointsman.context.assemblies",
    unit="{task}",
    description="Tasks that were prepared, by outcome: context, alone, cached",
)
POOL_LOOKUPS: Final = _meter.create_counter(
    "pointsman.context.pool.lookups",
    unit="{lookup}",
    description="Assemblies by whether all words were in the context pool: hit, miss",
)
RESPONSE_LOOKUPS: Final = _meter.create_counter(
    "pointsman.context.response.lookups",
    unit="{lookup}",
    description="Questions to the cache of responses by result: hit, miss",
)
PREPARATION: Final = _meter.create_histogram(
    "pointsman.context.preparation.duration",
    unit="s",
    description="Acceptance of a task until the scheduler was told what it runs on",
    explicit_bucket_boundaries_advisory=(
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0,
    ),
)  # fmt: skip
TURNS: Final = _meter.create_counter(
    "pointsman.context.turns", unit="{turn}", description="Turns appended to conversations"
)

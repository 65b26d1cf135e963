"""The alerts: what is watched, from where on and for how long."""

from dataclasses import dataclass
from typing import Final

GPU_MEMORY: Final = "gpu_memory"
TASK_LATENCY: Final = "task_latency"
ERROR_RATE: Final = "error_rate"
QUALITY_DROP: Final = "quality_drop"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A value, its threshold, and two durations without a break.

    Raised once the value was above the threshold for `for_s`, cleared once it was not above it
    for `clear_s`.
    """

    alert: str
    threshold: float
    unit: str
    for_s: float
    clear_s: float
    window_s: float = 0.0
    """What the value looks back over; 0: it is the latest reading."""
    least: int = 0
    """Fewer tasks or ratings than this are no ground for raising it."""


RULES: Final = (
    # A load peaks while weights are copied; ten seconds above it are no peak. Nine tenths leave
    # an engine room for the activations of one more batch. Clearing takes as long as raising:
    # memory is freed in steps and stays freed.
    AlertRule(GPU_MEMORY, threshold=0.9, unit="1", for_s=10.0, clear_s=10.0),
    # Whoever waits for an answer feels a fifth of a second. Three seconds pass over one collected
    # garbage heap or one model load; twenty tasks are the least of which 95 % is not just the
    # slowest. Clearing takes longer, since the window forgets slow tasks in one go.
    AlertRule(
        TASK_LATENCY, threshold=0.2, unit="s", for_s=3.0, clear_s=10.0, window_s=30.0, least=20
    ),
    # One in a hundred is what retries should leave of an engine's faults at most; one failure
    # among fewer than twenty tasks says nothing about one in a hundred.
    AlertRule(
        ERROR_RATE, threshold=0.01, unit="1", for_s=5.0, clear_s=15.0, window_s=60.0, least=20
    ),
    # Against the best of the last hour, so that a slow decline shows and an old triumph does not
    # raise it for ever. Ratings come in bursts: five seconds let a burst arrive whole. A mean of
    # fewer than twenty ratings is one person's mood, and counts neither as the best value nor as
    # the present one.
    AlertRule(
        QUALITY_DROP, threshold=0.05, unit="1", for_s=5.0, clear_s=15.0, window_s=3600.0, least=20
    ),
)

RULE_OF: Final = {rule.alert: rule for rule in RULES}

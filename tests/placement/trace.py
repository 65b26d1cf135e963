"""A short trace, and the same in fewer seconds."""

from dataclasses import dataclass
from typing import Final

import msgspec

from pointsman.policy.order import Window
from pointsman.policy.parameters import DEFAULTS, Parameters, Windows
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.workload import Workload, generate

DEVICES: Final = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """How many seconds of a trace pass in one second of the stack."""

    factor: float

    def shorter(self, seconds: float) -> float:
        """Seconds of the stack."""
        return seconds / self.factor

    def stretched(self) -> Parameters:
        """What the stack's policy, which is not scaled, is set to in seconds of the trace."""
        windows = {
            name: Window(due_s=window.due_s * self.factor, floor_s=window.floor_s * self.factor)
            for name, window in msgspec.structs.asdict(DEFAULTS.windows).items()
        }
        return msgspec.structs.replace(
            DEFAULTS,
            windows=Windows(**windows),
            least_gap_s=DEFAULTS.least_gap_s * self.factor,
            max_boost_s=DEFAULTS.max_boost_s * self.factor,
        )


def short_trace(seed: int, tasks: int, models: int) -> list[TracedTask]:
    """The published distributions with fewer models and tasks, from its first arrival on."""
    workload = Workload(seed=seed, tasks=tasks, models=models, devices=DEVICES)
    trace = generate(workload)
    first = trace[0].arrival_s
    return [msgspec.structs.replace(task, arrival_s=task.arrival_s - first) for task in trace]


def with_loads(trace: list[TracedTask], least_s: float) -> list[TracedTask]:
    """The trace where no load takes less than an engine needs at the least."""
    return [msgspec.structs.replace(task, load_s=max(task.load_s, least_s)) for task in trace]

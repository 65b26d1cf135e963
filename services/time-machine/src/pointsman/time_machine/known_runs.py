"""What a policy may know of run times: what has ended, never how long a waiting task will run."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pointsman.policy.run_times import RunTimes

P50_S: Final = 20.0
P99_S: Final = 100.0
"""What is expected of the first runs of all, when nothing has ended yet."""


class Expected(NamedTuple):
    """What is known of a model before it was ever loaded: what its registry says, in seconds."""

    p50_s: float
    p99_s: float
    """Of its runs."""
    load_s: float
    slots: int = 0
    """Tasks that a device with it serves at a time; 0: as many as the device can."""


UNTOLD: Final[Mapping[str, Expected]] = MappingProxyType({})


class KnownRuns:
    """Run times by model.

    Of a model that never ran the registry's figures are the best guess, and where there is no
    registry the runs of the others.
    """

    def __init__(self, expected: Mapping[str, Expected] = UNTOLD) -> None:
        self.expected: Final = expected
        self.all: Final = RunTimes(prior_p50_s=P50_S, prior_p99_s=P99_S)
        self._of: dict[str, RunTimes] = {}

    def of(self, model: str) -> RunTimes:
        """The runs of one model, which is known from now on."""
        runs = self._of.get(model)
        if runs is None:
            told = self.expected.get(model) or self.all
            runs = RunTimes(prior_p50_s=told.p50_s, prior_p99_s=told.p99_s)
            self._of[model] = runs
        return runs

    def ended(self, model: str, run_s: float) -> None:
        """A run has ended."""
        self.all.add(run_s)
        self.of(model).add(run_s)

"""What a policy may know of run times: what has ended, never how long a waiting task will run."""

from typing import Final

from pointsman.policy.run_times import RunTimes

P50_S: Final = 20.0
P99_S: Final = 100.0
"""What is expected of the first runs of all, when nothing has ended yet."""


class KnownRuns:
    """Run times by model; of a model that never ran the runs of the others are the best guess."""

    def __init__(self) -> None:
        self.all: Final = RunTimes(prior_p50_s=P50_S, prior_p99_s=P99_S)
        self._of: dict[str, RunTimes] = {}

    def of(self, model: str) -> RunTimes:
        """The runs of one model, which is known from now on."""
        runs = self._of.get(model)
        if runs is None:
            p50_s, p99_s = self.all.p50_s, self.all.p99_s
            runs = self._of[model] = RunTimes(prior_p50_s=p50_s, prior_p99_s=p99_s)
        return runs

    def ended(self, model: str, run_s: float) -> None:
        """A run has ended."""
        self.all.add(run_s)
        self.of(model).add(run_s)

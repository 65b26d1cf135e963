"""How long a class takes to load and to run: what was registered, then what was measured."""

from pointsman.policy.run_times import RunTimes


class ClassTimes:
    """Load and run times of one class in seconds."""

    __slots__ = ("_loaded_s", "_loads", "_ran_s", "_registered_load_s", "longest_s", "runs")

    def __init__(self, *, load_s: float, p50_s: float, p99_s: float) -> None:
        self.runs = RunTimes(prior_p50_s=p50_s, prior_p99_s=p99_s)
        self.longest_s = p99_s
        """The longest run that is known of, or expected."""
        self._registered_load_s = load_s
        self._loads = 0
        self._loaded_s = 0.0
        self._ran_s = 0.0

    def ran(self, run_s: float) -> None:
        """Count a run that has ended."""
        self.runs.add(run_s)
        self._ran_s += run_s
        self.longest_s = max(self.longest_s, run_s)

    def expect_load(self, load_s: float) -> None:
        """Take another figure of the registry; measured loads stay."""
        self._registered_load_s = load_s

    @property
    def totals(self) -> tuple[int, float, float, float]:
        """Loads, their seconds, seconds of runs and the longest run, as far as measured."""
        return self._loads, self._loaded_s, self._ran_s, self.longest_s

    def restore(self, totals: tuple[int, float, float, float]) -> None:
        """Go on from what another object of this kind had counted."""
        self._loads, self._loaded_s, self._ran_s, self.longest_s = totals

    def loaded(self, load_s: float) -> None:
        """Count a load that has ended."""
        self._loads += 1
        self._loaded_s += load_s

    @property
    def load_s(self) -> float:
        """Mean of the measured loads; what was registered before the first."""
        return self._loaded_s / self._loads if self._loads else self._registered_load_s

    @property
    def mean_s(self) -> float:
        """Mean run; the expected median before the first few."""
        runs = self.runs
        return self._ran_s / runs.runs if runs.measured else runs.p50_s

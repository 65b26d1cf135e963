"""The variants that may be used, and how long they take."""

from collections.abc import Mapping, Sequence

from pointsman.contracts.events import ModelRegistered
from pointsman.policy.batching import PRIOR_SHARE, added_s
from pointsman.policy.run_times import RunTimes


class Models(dict[str, ModelRegistered]):
    """Registered variants by name, with their measured run times."""

    def __init__(self) -> None:
        super().__init__()
        self._run_times: dict[str, RunTimes] = {}
        self._added_times: dict[str, RunTimes] = {}
        self._families: dict[str, list[ModelRegistered]] = {}

    def register(self, model: ModelRegistered) -> None:
        """Take a variant, or other facts about it; measured runs stay."""
        self[model.variant] = model
        self._families.clear()
        self.run_times_of(model.variant).expect(
            prior_p50_s=model.service_s, prior_p99_s=model.service_p99_s
        )
        self.added_times_of(model.variant).expect(
            prior_p50_s=PRIOR_SHARE * model.service_s,
            prior_p99_s=PRIOR_SHARE * model.service_p99_s,
        )

    def family(self, name: str) -> Sequence[ModelRegistered]:
        """Variants of a family, best registered quality first; not to be changed."""
        # Every submission asks for it.
        if (known := self._families.get(name)) is None:
            variants = [model for model in self.values() if model.family == name]
            known = sorted(variants, key=lambda model: (-model.quality, model.variant))
            if known:
                self._families[name] = known
        return known

    def families(self) -> list[str]:
        """Names of all families, in order."""
        return sorted({model.family for model in self.values()})

    def run_times_of(self, variant: str) -> RunTimes:
        """Measured run times of a variant, or what the registry says of it."""
        if (known := self._run_times.get(variant)) is None:
            model = self.get(variant)
            known = self._run_times[variant] = RunTimes(
                prior_p50_s=model.service_s if model else 0.0,
                prior_p99_s=model.service_p99_s if model else 0.0,
            )
        return known

    def run_times(self) -> Mapping[str, RunTimes]:
        """Measured run times by variant, as far as any were asked for."""
        return self._run_times

    def added_times_of(self, variant: str) -> RunTimes:
        """What each further task of a batch adds to its time."""
        if (known := self._added_times.get(variant)) is None:
            model = self.get(variant)
            known = self._added_times[variant] = RunTimes(
                prior_p50_s=PRIOR_SHARE * model.service_s if model else 0.0,
                prior_p99_s=PRIOR_SHARE * model.service_p99_s if model else 0.0,
            )
        return known

    def added_times(self) -> Mapping[str, RunTimes]:
        """What further tasks add, by variant, as far as any was asked for."""
        return self._added_times

    def ran(self, variant: str, run_s: float, *, size: int = 1) -> None:
        """Count a call that `size` tasks shared; one that timed out with its timeout."""
        alone = self.run_times_of(variant)
        if size == 1:
            alone.add(run_s)
        elif size > 1:
            self.added_times_of(variant).add(added_s(alone, size, run_s))

    def fastest_s(self, variants: Sequence[str]) -> float:
        """Shortest median run time among admissible variants."""
        return min((self.run_times_of(variant).p50_s for variant in variants), default=0.0)

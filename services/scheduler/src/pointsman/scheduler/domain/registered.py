"""The variants that may be used, and how long they take."""

from collections.abc import Sequence

from pointsman.contracts.events import ModelRegistered
from pointsman.policy.run_times import RunTimes


class Models(dict[str, ModelRegistered]):
    """Registered variants by name, with their measured run times."""

    def __init__(self) -> None:
        super().__init__()
        self._run_times: dict[str, RunTimes] = {}

    def register(self, model: ModelRegistered) -> None:
        """Take a variant, or other facts about it; measured runs stay."""
        self[model.variant] = model
        self.run_times_of(model.variant).expect(
            prior_p50_s=model.service_s, prior_p99_s=model.service_p99_s
        )

    def family(self, name: str) -> list[ModelRegistered]:
        """Variants of a family, best registered quality first."""
        variants = [model for model in self.values() if model.family == name]
        return sorted(variants, key=lambda model: (-model.quality, model.variant))

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

    def fastest_s(self, variants: Sequence[str]) -> float:
        """Shortest median run time among admissible variants."""
        return min((self.run_times_of(variant).p50_s for variant in variants), default=0.0)

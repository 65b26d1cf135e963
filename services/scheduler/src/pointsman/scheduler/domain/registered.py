"""The variants that may be used, and how long they take."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from pointsman.contracts.commands import Rejected
from pointsman.contracts.events import ModelRegistered
from pointsman.policy.batching import PRIOR_SHARE, added_s
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.run_times import RunTimes
from pointsman.policy.unload_times import UnloadTimes


class Models(dict[str, ModelRegistered]):
    """Registered variants by name, with their measured load and run times."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)
        """Of all variants together."""
        self._times: dict[str, ClassTimes] = {}
        self._added_times: dict[str, RunTimes] = {}
        self._families: dict[str, list[ModelRegistered]] = {}
        self.unloads = UnloadTimes()
        self._swap_s: tuple[float, float] | None = None

    def register(self, model: ModelRegistered) -> None:
        """Take a variant, or other facts about it; measured runs stay."""
        self[model.variant] = model
        self._families.clear()
        self._swap_s = None
        times = self.times_of(model.variant)
        times.expect_load(model.load_s)
        times.longest_s = max(times.longest_s, model.service_p99_s)
        times.runs.expect(prior_p50_s=model.service_s, prior_p99_s=model.service_p99_s)
        self.added_times_of(model.variant).expect(
            prior_p50_s=PRIOR_SHARE * model.service_s,
            prior_p99_s=PRIOR_SHARE * model.service_p99_s,
        )
        self.runs.expect(
            prior_p50_s=fmean(known.service_s for known in self.values()),
            prior_p99_s=max(known.service_p99_s for known in self.values()),
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

    def times_of(self, variant: str) -> ClassTimes:
        """Measured load and run times of a variant, or what the registry says of it."""
        if (known := self._times.get(variant)) is None:
            model = self.get(variant)
            known = self._times[variant] = ClassTimes(
                load_s=model.load_s if model else 0.0,
                p50_s=model.service_s if model else 0.0,
                p99_s=model.service_p99_s if model else 0.0,
            )
        return known

    def times(self) -> Mapping[str, ClassTimes]:
        """Load and run times by variant, as far as any were asked for."""
        return self._times

    def run_times_of(self, variant: str) -> RunTimes:
        """Run times of a variant."""
        return self.times_of(variant).runs

    @property
    def swap_s(self) -> tuple[float, float]:
        """Mean and least expected swap of all variants, seconds: a load, mostly after an unload."""
        if self._swap_s is None:
            loads = [self.times_of(variant).load_s for variant in self]
            unload_s = self.unloads.mean_s
            self._swap_s = (fmean(loads) + unload_s, min(loads)) if loads else (0.0, 0.0)
        return self._swap_s

    def loaded(self, variant: str, load_s: float) -> None:
        """Count a load that has ended."""
        self.times_of(variant).loaded(load_s)
        self._swap_s = None

    def unloaded(self, unloads_s: Mapping[str, float]) -> None:
        """Count unloads that have ended, by variant."""
        for variant, unload_s in unloads_s.items():
            self.unloads.unloaded(variant, unload_s)
        self._swap_s = None

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
        times = self.times_of(variant)
        if size == 1:
            times.ran(run_s)
            self.runs.add(run_s)
        elif size > 1:
            self.added_times_of(variant).add(added_s(times.runs, size, run_s))

    def fastest_s(self, variants: Sequence[str]) -> float:
        """Shortest median run time among admissible variants."""
        return min((self.run_times_of(variant).p50_s for variant in variants), default=0.0)


def part_mib(model: ModelRegistered) -> float:
    """What an instance takes of the memory of each of its devices."""
    return model.memory_mib / model.devices_per_instance


def unknown_family(name: str) -> Rejected:
    """A family of which nothing is registered."""
    return Rejected(
        code="unknown_family",
        message=f"no model of family {name!r} is registered",
        next="use a family of `pointsman model ls`",
    )


def unknown_model(variant: str) -> Rejected:
    """A variant that no registry entry names."""
    return Rejected(
        code="unknown_model",
        message=f"no model {variant!r} is registered",
        next="use one of `pointsman model ls`",
    )

"""Which families tenants and projects choose: what a task that leaves it open probably means."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

MOST: Final = 200
"""Choices that are remembered of one tenant or project; older ones count half, then a quarter."""

REMEMBERED: Final = 10_000
"""Tenants and projects; the one that has chosen nothing for longest is forgotten."""


class Habit(NamedTuple):
    """The choices of a tenant, or of one of its projects."""

    tenant: str
    project: str
    families: dict[str, int]


class Habits:
    """Counts of families that were named, not of those that were found for somebody."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Counts] = {}

    def chose(self, tenant: str, project: str | None, family: str) -> None:
        """A task named its family."""
        self._count((tenant, ""), family)
        if project:
            self._count((tenant, project), family)

    def choices(self, tenant: str, project: str | None) -> Counter[str]:
        """By family; what was chosen in the same project counts twice."""
        counts = Counter[str]()
        for who in dict.fromkeys(((tenant, ""), (tenant, project or ""))):
            if (known := self._counts.get(who)) is not None:
                counts.update(known.of)
        return counts

    def habits(self) -> Iterator[Habit]:
        """Everything, for a snapshot; the longest unused first."""
        for (tenant, project), counts in self._counts.items():
            yield Habit(tenant, project, dict(counts.of))

    def restore(self, habit: Habit) -> None:
        """Go on from what another object of this kind had counted."""
        families = dict(habit.families)
        self._counts[habit.tenant, habit.project] = _Counts(families, sum(families.values()))

    def _count(self, who: tuple[str, str], family: str) -> None:
        counts = self._counts.pop(who, None)
        if counts is None:
            counts = _Counts({}, 0)
            if len(self._counts) >= REMEMBERED:
                del self._counts[next(iter(self._counts))]
        self._counts[who] = counts
        counts.of[family] = counts.of.get(family, 0) + 1
        counts.total += 1
        if counts.total > MOST:
            counts.of = {name: count // 2 for name, count in counts.of.items() if count > 1}
            counts.total = sum(counts.of.values())


@dataclass(slots=True)
class _Counts:
    of: dict[str, int]
    total: int
    """Summed up beside them: it is asked for with each task."""

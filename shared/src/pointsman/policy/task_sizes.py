"""What completed tasks taught about size: how much output and how much time an input takes.

Sizes count by their order of magnitude, in powers of two.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import exp, log, sqrt
from typing import Final, NamedTuple

from pointsman.policy.complexity import COMPLEX_FROM, SIMPLE_BELOW, Scale
from pointsman.policy.recent_values import RecentValues

ENOUGH: Final = 5
"""Below this many runs what was declared is the better guess."""

ENOUGH_FOR_SCALE: Final = 32
"""Half a window: the outer thirds then are about ten tasks each."""

MIN_SPAN: Final = 4.0
"""Largest over smallest medium work, where all tasks of a family are about the same size."""

_MEDIAN: Final = 0.5

_BySize = defaultdict[int, RecentValues]


class Measured(NamedTuple):
    """One list of values as a snapshot keeps it."""

    what: str
    """`work`, `error`, `output` or `run`."""
    of: str
    """A family; a variant for `run`."""
    magnitude: int
    """Of the input for `output`, of the work for `run`, else 0."""
    ever: int
    window: tuple[float, ...]


class TaskSizes:
    """Folded from completed tasks."""

    def __init__(self) -> None:
        self._known: dict[str, defaultdict[str, _BySize]] = {
            what: defaultdict(_by_size) for what in ("work", "error", "output", "run")
        }

    def completed(self, family: str, *, input_tokens: int, output_tokens: int, work: int) -> None:
        """A task of this size has ended with this much output."""
        self._known["work"][family][0].add(float(work))
        self._known["output"][family][input_tokens.bit_length()].add(float(output_tokens))

    def ran(
        self, family: str, variant: str, *, work: int, run_s: float, estimated_s: float
    ) -> None:
        """A call for one such task took so long; `estimated_s` is 0 if there was no estimate."""
        self._known["run"][variant][work.bit_length()].add(run_s)
        if estimated_s > 0.0 and run_s > 0.0:
            self._known["error"][family][0].add(abs(log(run_s / estimated_s)))

    def runs(self, family: str) -> int:
        """Completed tasks of a family."""
        known = self._values("work", family)
        return 0 if known is None else known.count

    def output_tokens(self, family: str, input_tokens: int) -> int | None:
        """Median output of such inputs, never less than that of shorter ones; None: too few runs.

        Inputs shorter than any known one get the output of the shortest.
        """
        by_size = self._known["output"].get(family)
        if by_size is None:
            return None
        most, magnitude = None, input_tokens.bit_length()
        for size in sorted(by_size):
            known = by_size[size]
            if len(known) < ENOUGH:
                continue
            if most is not None and size > magnitude:
                break
            median = int(known.quantile(_MEDIAN))
            most = median if most is None else max(most, median)
        return most

    def run_s(self, variant: str, work: int) -> float | None:
        """Median run time of such work; None: too few runs."""
        known = self._values("run", variant, work.bit_length())
        return None if known is None or len(known) < ENOUGH else known.quantile(_MEDIAN)

    def scale(self, family: str) -> Scale | None:
        """The outer thirds of what a family was asked for; None: too few tasks."""
        known = self._values("work", family)
        if known is None or len(known) < ENOUGH_FOR_SCALE:
            return None
        low = max(1.0, known.quantile(SIMPLE_BELOW))
        high = max(low, known.quantile(COMPLEX_FROM))
        middle = sqrt(low * high)
        return Scale(
            simple_below=min(low, middle / sqrt(MIN_SPAN)),
            complex_from=max(high, middle * sqrt(MIN_SPAN)),
            read_from="learned",
        )

    def off(self, family: str) -> float | None:
        """The factor by which half of the last estimates were off at the most."""
        known = self._values("error", family)
        if known is None or len(known) < ENOUGH:
            return None
        return exp(known.quantile(_MEDIAN))

    def measured(self) -> Iterator[Measured]:
        """Everything, for a snapshot."""
        for what, by_name in self._known.items():
            for of, by_size in by_name.items():
                for magnitude, known in by_size.items():
                    yield Measured(what, of, magnitude, known.count, known.window)

    def restore(self, measured: Measured) -> None:
        """Go on from what another object of this kind had counted."""
        values = RecentValues(measured.window, count=measured.ever)
        self._known[measured.what][measured.of][measured.magnitude] = values

    def _values(self, what: str, name: str, magnitude: int = 0) -> RecentValues | None:
        by_size = self._known[what].get(name)
        return None if by_size is None else by_size.get(magnitude)


def _by_size() -> _BySize:
    return defaultdict(RecentValues)

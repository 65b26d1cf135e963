"""Loads for tasks that are only expected: whether one is worth an idle device.

Eager preloading adds swaps, so that a model comes before its tasks only where a request is likely
soon, and only into a device whose own model is wanted clearly less. Arrivals are taken as Poisson
with the forecast rate. Source: Shahrad et al., "Serverless in the Wild" (ATC 2020), where
pre-warming pays when the next request is predictable and hurts when it is not.
"""

from math import exp
from typing import Final

HORIZON_S: Final = 60.0
"""Within which a request has to be likely."""

LIKELY: Final = 0.8

ENOUGH_BUCKETS: Final = 3
"""A forecast has to stand on so many; one request says nothing about the next."""

COLDER: Final = 4.0
"""How many times more the newcomer has to be wanted than what would go."""


def request_likelihood(per_s: float, horizon_s: float = HORIZON_S) -> float:
    """Probability of a request within the horizon at a rate of `per_s`."""
    return 1.0 - exp(-per_s * horizon_s)


def worth_a_warm_up(wanted_per_s: float, resident_per_s: float) -> bool:
    """Whether a model that is wanted so often should replace one that is wanted so often."""
    likely = request_likelihood(wanted_per_s) >= LIKELY
    return likely and wanted_per_s >= COLDER * resident_per_s

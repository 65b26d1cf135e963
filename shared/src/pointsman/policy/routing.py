"""Which family a task belongs to that names none: its content first, then its sender's habits."""

from collections.abc import Mapping
from math import exp
from typing import Final

from pointsman.contracts.routing import DomainScore

TEMPERATURE: Final = 0.015
"""Differences of similarity that matter; gives the training half of the labelled set its greatest
likelihood."""

LEAST_SIMILARITY: Final = 0.05
"""A text that resembles no prototype more than this is like none of them."""

_DOUBT: Final = 50
"""Choices that a sender must have made before they weigh as much as knowing nothing."""
_MOST_WEIGHT: Final = 2.0
"""Habits at most double a family's weight and at least halve it: they break ties, no more."""


def score_domains(
    similarities: Mapping[str, float],
    families: Mapping[str, str],
    choices: Mapping[str, int],
) -> list[DomainScore]:
    """The domains that may be meant, best first; empty if the text resembles none.

    `families` says which family each domain goes to; a domain that is not in it does not count.
    """
    known = {name: value for name, value in similarities.items() if name in families}
    best = max(known.values(), default=0.0)
    if best < LEAST_SIMILARITY:
        return []
    priors = {name: _prior(families[name], choices, len({*families.values()})) for name in known}
    weights = {
        name: priors[name] * exp((value - best) / TEMPERATURE) for name, value in known.items()
    }
    total = sum(weights.values())
    scores = [
        DomainScore(
            domain=name,
            family=families[name],
            similarity=known[name],
            prior=round(priors[name], 4),
            score=round(weight / total, 4),
        )
        for name, weight in weights.items()
    ]
    return sorted(scores, key=lambda each: (-each.score, -each.similarity, each.domain))


def _prior(family: str, choices: Mapping[str, int], families: int) -> float:
    total = sum(choices.values())
    share = (choices.get(family, 0) + _DOUBT / families) / (total + _DOUBT)
    return min(_MOST_WEIGHT, max(1.0 / _MOST_WEIGHT, share * families))

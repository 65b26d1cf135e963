"""Which device and which variant: suitability and the choice between variants.

suitability = 0.4 memory fit + 0.3 utilisation + 0.2 temperature + 0.1 affinity, each in [0, 1].
A component that nobody measures is left out and the weights of the others are scaled up, so that
it neither helps nor hurts.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.contracts.events import Candidate

OTHERS: Final = 7
"""Alternatives that a decision records in full; the rest as a count and a digest."""


class Weights(msgspec.Struct, frozen=True, gc=False):
    """Weights of the suitability components; only their ratio matters."""

    memory: float = 0.4
    utilisation: float = 0.3
    temperature: float = 0.2
    affinity: float = 0.1


# A struct, as is a choice: several are made for each grant, and a frozen dataclass takes 2 us.
class Option(msgspec.Struct, frozen=True, gc=False):
    """One variant on one device, with the facts that a choice needs."""

    device: str
    variant: str
    quality: float
    """0 to 1."""
    free_slots: int
    slots: int
    expected_s: float
    """Expected time to the result."""
    affinity: bool = False
    """The device ran this variant last."""
    temperature_c: float | None = None
    refused: str | None = None
    """Why the option cannot be chosen whatever its score."""
    rank: int = 0
    """Place of the variant in the order of preference; before its registered quality."""
    joins: bool = False
    """No slot is free, but a call that was opened just now takes one more."""


class Choice(msgspec.Struct, frozen=True):
    """What was chosen, what else there was, and why the rest was not taken."""

    chosen: Candidate
    others: tuple[Candidate, ...]
    more: int
    more_digest: str
    joins: bool = False
    """It shares a call that has its slot already."""


_HOT_C: Final = 90.0
_COOL_C: Final = 40.0


def weigh(
    weights: Weights,
    *,
    memory: float,
    utilisation: float,
    temperature_c: float | None,
    affinity: float,
) -> tuple[float, float | None]:
    """The suitability, and the temperature as a component of it."""
    total = weights.memory + weights.utilisation + weights.affinity
    score = (
        weights.memory * memory + weights.utilisation * utilisation + weights.affinity * affinity
    )
    temperature = None
    if temperature_c is not None:
        temperature = min(1.0, max(0.0, (_HOT_C - temperature_c) / (_HOT_C - _COOL_C)))
        total += weights.temperature
        score += weights.temperature * temperature
    return round(score / total, 6), temperature


def suitability(option: Option, weights: Weights) -> Candidate:
    """Score an option; the components stand in the result."""
    # Only variants that are loaded are offered, so memory fits by construction.
    memory = 1.0
    utilisation = option.free_slots / option.slots if option.slots else 0.0
    affinity = 1.0 if option.affinity else 0.0
    score, temperature = weigh(
        weights,
        memory=memory,
        utilisation=utilisation,
        temperature_c=option.temperature_c,
        affinity=affinity,
    )
    return Candidate(
        device=option.device,
        variant=option.variant,
        score=score,
        memory=memory,
        utilisation=round(utilisation, 6),
        temperature=temperature,
        affinity=affinity,
        quality=option.quality,
        expected_s=round(option.expected_s, 6),
        refused=option.refused,
    )


def _preference(
    ranked: tuple[int, bool, Candidate],
) -> tuple[bool, int, float, bool, float, float, str]:
    rank, joins, c = ranked
    refused = c.refused is not None
    return refused, rank, -c.quality, joins, -c.score, c.expected_s or 0.0, c.device


def choose(options: Sequence[Option], weights: Weights) -> Choice | None:
    """The most preferred variant that can be had now; among its devices the most suitable one.

    A free slot comes before a place in somebody's call. Ties go to the shorter expected time, then
    to the name. None if every option is refused.
    """
    ranked = ((option.rank, option.joins, suitability(option, weights)) for option in options)
    order = sorted(ranked, key=_preference)
    scored = [candidate for _, _, candidate in order]
    if not scored or scored[0].refused is not None:
        return None
    rest = scored[1 + OTHERS :]
    return Choice(
        chosen=scored[0],
        joins=order[0][1],
        others=tuple(scored[1 : 1 + OTHERS]),
        more=len(rest),
        more_digest=hashlib.sha256(msgspec.json.encode(rest)).hexdigest()[:16] if rest else "",
    )

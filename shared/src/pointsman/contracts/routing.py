"""How much work a task is, what suits it, and where a task without a family goes."""

from typing import Final

from pointsman.contracts.message import Message

AUTO: Final = "auto"
"""Instead of a family: the content of the task tells it. No family may have this name."""


class Judgement(Message, frozen=True):
    """How much work a task is, and what that was read from.

    Work is counted in tokens: those of the input, and those of the expected output at a multiple.
    The score is its place on the family's scale.
    """

    input_tokens: int
    output_tokens: int
    """Expected."""
    output_from: str
    """`asked` (the parameter `max_tokens`), `learned`, `declared` or `unknown`."""
    simple_below: float
    """Work; 0.3 on the scale."""
    complex_from: float
    """Work; 0.7 on the scale."""
    scale_from: str
    """`declared`, `learned` or `default`."""
    variant: str
    """The most preferred one, which the figures below are about."""
    run_s: float
    run_from: str
    """`size` (runs of such tasks), `variant` (all its runs) or `registry`."""
    memory_mib: float
    runs: int = 0
    """Completed tasks of the family that were counted."""
    off: float | None = None
    """Half of the family's last estimates were off by no more than this factor."""
    joules: float | None = None
    """None: no device of the variant reports its power."""
    tier: str = ""
    """Quality tier that suits it; empty: none is configured."""
    device: str = ""
    """Device tier that suits it."""
    tier_s: float | None = None
    """Expected run time there."""
    cost_usd: float | None = None
    """Of that time at the tier's price."""
    small_first: bool = False
    """Its variants are in the order of their run time, as far as their quality is enough."""


class DomainScore(Message, frozen=True):
    """A domain that a task may belong to."""

    domain: str
    family: str
    similarity: float
    """To the domain's prototypes, 0 to 1."""
    prior: float
    """How the sender's earlier choices weigh its family; 1: they say nothing."""
    score: float
    """Share of this domain in all that may be meant; the scores add up to 1."""


class Route(Message, frozen=True):
    """Why a task that named no family was given one."""

    chosen: DomainScore
    others: tuple[DomainScore, ...]
    """All other domains whose family has models, best first."""
    choices: int
    """Earlier tasks of the tenant and project that the priors rest on."""
    version: str
    """Of the routing file whose prototypes were compared."""

"""What the policy of a pool is set to; decided by its leader."""

from pointsman.contracts.events.tasks import Decision


class PolicySet(Decision, frozen=True):
    """From here on the pool decides with these parameters."""

    pool: str
    figures: dict[str, float]
    """Every parameter of `pointsman.policy.parameters` under its dotted name."""
    config: str
    """The name that decisions give it."""
    source: str
    """The file that it was read from; empty: the defaults of this release."""
    holder: str
    """The scheduler that read it."""

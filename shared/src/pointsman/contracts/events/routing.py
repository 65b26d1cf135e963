"""The event that makes the routing file a part of the log."""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import Message


class FamilyRule(Message, frozen=True):
    """What is known of a family before any of its tasks has run."""

    family: str
    simple_below: float
    """Work in tokens; see `Judgement`."""
    complex_from: float
    output_tokens: int
    """Expected as long as too few runs are known."""
    tiers: tuple[str, str, str]
    """Quality tiers for simple, medium and complex tasks."""
    small_first: bool = False
    """A simple task that asks for nothing else prefers the quickest variant that is good enough."""
    least_quality: float = 0.0
    """Good enough for a simple task."""


class DeviceTier(Message, frozen=True):
    """A kind of device."""

    name: str
    memory_mib: float
    tokens_per_s: float
    """How fast it writes."""


class QualityTier(Message, frozen=True):
    """A kind of device at a price."""

    name: str
    device: str
    price_per_hour_usd: float
    faster_than_cpu: float
    """How many times."""


class DomainRule(Message, frozen=True):
    """Where tasks of a domain go."""

    domain: str
    family: str
    least_tier: str = ""
    """Quality tier that its tasks have at least."""


class RoutingChanged(Decision, frozen=True):
    """Another routing file holds for the pool from here on.

    The prototypes stay in the file: what they say of a task stands in its acceptance.
    """

    pool: str
    version: str
    """First 16 hexadecimal digits of the file's SHA-256."""
    families: tuple[FamilyRule, ...]
    devices: tuple[DeviceTier, ...]
    """From the smallest to the largest."""
    tiers: tuple[QualityTier, ...]
    """From the cheapest to the best."""
    domains: tuple[DomainRule, ...]

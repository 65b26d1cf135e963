"""A small routing file and what follows from it."""

from typing import Final

import msgspec

from pointsman.contracts import events
from pointsman.contracts.routing_file import RoutingFile, parse_routing
from tests.support.scheduling import NOON

TEXT: Final = """
[[family]]
name = "summarize"
simple_below = 100
complex_from = 1000
output_tokens = 5
tiers = ["cheap", "middle", "dear"]
least_quality = 0.6

[[device]]
name = "small"
memory_mib = 100
tokens_per_s = 50

[[device]]
name = "large"
memory_mib = 1000
tokens_per_s = 5

[[tier]]
name = "cheap"
device = "small"
price_per_hour_usd = 3.6
faster_than_cpu = 10

[[tier]]
name = "middle"
device = "small"
price_per_hour_usd = 7.2
faster_than_cpu = 20

[[tier]]
name = "dear"
device = "large"
price_per_hour_usd = 36
faster_than_cpu = 100

[[domain]]
name = "reports"
family = "summarize"
keywords = ["report"]
prototypes = ["Summarise this report.", "The main points of the article."]

[[domain]]
name = "contracts"
family = "summarize"
least_tier = "dear"
prototypes = ["What does this contract oblige me to?"]

[[domain]]
name = "tickets"
family = "classify"
prototypes = ["Which department gets this complaint?"]
"""

FILE: Final[RoutingFile] = parse_routing(TEXT)


def routing(*, small_first: bool = False, pool: str = "main") -> events.RoutingChanged:
    """The file as an event."""
    event = FILE.event(pool=pool, version="0123456789abcdef", at=NOON, applied_to=0)
    families = tuple(
        msgspec.structs.replace(rule, small_first=small_first) for rule in event.families
    )
    return msgspec.structs.replace(event, families=families)

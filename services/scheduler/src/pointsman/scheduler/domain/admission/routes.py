"""The family of a task whose sender left it open."""

from collections.abc import Mapping
from typing import Final

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.routing import AUTO, Route
from pointsman.policy.routing import score_domains
from pointsman.scheduler.domain.pool import Pool

Seen = Mapping[str, float]
"""What was seen in the content of a task: its similarity to each domain."""

NO_DOMAINS: Final = "no_domains"
FAMILY_UNCLEAR: Final = "family_unclear"

_NAME_IT: Final = "name a family of `pointsman model ls`"


def find_route(pool: Pool, task: SubmitTask, seen: Seen | None) -> Route | Rejected | None:
    """Where a task goes that asks for `auto`; None if it names its family."""
    if task.family != AUTO:
        return None
    rules = pool.grounds.rules
    if rules is None or not rules.domains:
        return Rejected(
            code=NO_DOMAINS,
            message=f"pool {pool.name} has no domains to find a family by",
            next=f"{_NAME_IT}, or have the operator add domains to the routing file",
        )
    if task.model is not None:
        return Rejected(
            code="family_needed",
            message=f"a model is named ({task.model}), but not its family",
            next=_NAME_IT,
        )
    if seen is None:
        return Rejected(
            code="family_needed",
            message="the content of a payload that is sent by reference is not looked at",
            next=f"{_NAME_IT}, or send the payload inline",
        )
    families = {d.domain: d.family for d in rules.domains if pool.models.family(d.family)}
    choices = pool.grounds.habits.choices(task.tenant, task.project)
    scores = score_domains(seen, families, choices)
    if not scores:
        return Rejected(
            code=FAMILY_UNCLEAR,
            message="the input resembles no domain that the pool knows",
            next=_NAME_IT,
        )
    return Route(
        chosen=scores[0],
        others=tuple(scores[1:]),
        choices=choices.total(),
        version=rules.version,
    )


def seen_in(route: Route) -> Seen:
    """What was seen when a route was found, to find it again."""
    return {each.domain: each.similarity for each in (route.chosen, *route.others)}

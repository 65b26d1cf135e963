"""How complex a task was held to be, and how its family was found, in sentences."""

from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.routing import DomainScore, Judgement, Route
from pointsman.policy.complexity import work_of
from pointsman.scheduler.domain.why.words import figures, span

_ALTERNATIVES = 3

_OUTPUT_FROM = {
    "asked": "the most that its sender allows for",
    "learned": "as inputs of its size had",
    "declared": "as declared for its family",
    "unknown": "not known",
}
_SCALE_FROM = {
    "declared": "as declared for its family",
    "learned": "the outer thirds of what the family was asked for",
    "default": "for want of anything better known",
}
_RUN_FROM = {
    "size": "as for runs of such tasks",
    "variant": "as for all its runs",
    "registry": "as the registry says",
}


def routed(route: Route) -> list[str]:
    """Why it has its family."""
    chosen = route.chosen
    others = "; ".join(_words(other) for other in route.others[:_ALTERNATIVES])
    more = len(route.others) - _ALTERNATIVES
    habits = (
        f"{route.choices} earlier choices of its tenant and project weighed in"
        if route.choices
        else "its sender had never named a family"
    )
    return [
        (
            f"Its sender left the family open: the content is most like domain {_words(chosen)}, "
            f"which goes to family {chosen.family}; {habits}."
        ),
        f"Other domains: {others or 'none'}" + (f"; and {more} more." if more > 0 else "."),
    ]


def judged(event: TaskAccepted, judgement: Judgement) -> list[str]:
    """Its band, what that was read from, and what follows."""
    work = work_of(judgement.input_tokens, judgement.output_tokens)
    told = [
        (
            f"It counts as {event.band} (score {event.complexity:.2f}): work of {work} tokens, "
            f"from {judgement.input_tokens} of input and {judgement.output_tokens} of output "
            f"({_OUTPUT_FROM[judgement.output_from]}); simple is less than "
            f"{judgement.simple_below:.0f}, complex {judgement.complex_from:.0f} or more "
            f"({_SCALE_FROM[judgement.scale_from]})."
        )
    ]
    off = f", of which half were off by up to {judgement.off:.2f} times" if judgement.off else ""
    runs = f"; {judgement.runs} task(s) of the family counted{off}" if judgement.runs else ""
    joules = "" if judgement.joules is None else f", {figures(judgement.joules)} J"
    piece = ", were it run in one piece" if event.split is not None else ""
    told.append(
        f"Expected on {judgement.variant}{piece}: {span(judgement.run_s)} "
        f"({_RUN_FROM[judgement.run_from]}), {judgement.memory_mib:.0f} MiB{joules}{runs}."
    )
    if judgement.tier_s is not None and judgement.cost_usd is not None:
        told.append(
            f"Quality tier {judgement.tier} on a {judgement.device} device suits it: "
            f"{span(judgement.tier_s)} and {figures(judgement.cost_usd)} USD there."
        )
    return told


def order_words(judgement: Judgement | None) -> str:
    """What the order of its variants is."""
    if judgement is not None and judgement.small_first:
        return "the quickest that is good enough for a simple task first"
    return "best quality first"


def _words(score: DomainScore) -> str:
    return f"{score.domain} ({score.score:.2f}, similarity {score.similarity:.2f})"

"""Why a task came to its pool, in sentences."""

from pointsman.contracts.pool_choice import ChoiceBasis, PoolCandidate, PoolChoice
from pointsman.scheduler.domain.why.words import span


def pool_chosen(choice: PoolChoice) -> list[str]:
    """The pools that were drawn, their figures, and what became of the first choice."""
    first = choice.instead_of or choice.chosen
    told = [_chosen(choice, first)]
    if choice.instead_of:
        told.append(
            f"Pool {first} did not take it, so pool {choice.chosen} was asked: {choice.reason}."
        )
    return told


def _chosen(choice: PoolChoice, pool: str) -> str:
    figures = " and ".join(_figures(candidate) for candidate in choice.candidates)
    match choice.basis, len(choice.candidates):
        case ChoiceBasis.ONLY, _:
            return f"Pool {pool} was named for it."
        case ChoiceBasis.UNKNOWN, _:
            return (
                f"Pool {pool} was drawn of {choice.pools}: none was known to have a device for it."
            )
        case _, 1:
            return f"Pool {pool} alone could take it: {figures}."
        case _:
            draws = ", ".join(f"{draw:.4f}" for draw in choice.draws)
            known = "" if choice.basis is ChoiceBasis.LOAD else " by what was last heard of them"
            spoke = "was drawn first, and none was better" if _alike(choice) else "was better off"
            return (
                f"Pool {pool} {spoke}{known}, of two drawn out of {choice.pools} (draws {draws}): "
                f"{figures}."
            )


def _alike(choice: PoolChoice) -> bool:
    first, second = choice.candidates
    return (first.wait_s, first.busy) == (second.wait_s, second.busy)


def _figures(candidate: PoolCandidate) -> str:
    if candidate.wait_s is None:
        return f"{candidate.pool} of which nothing is known"
    said = [f"{span(candidate.wait_s)} to wait"]
    if candidate.busy is not None:
        said.append(f"{candidate.busy:.0%} of its slots taken")
    if candidate.sent:
        said.append(f"{candidate.sent} sent there since")
    age = "" if candidate.age_s is None else f", {span(candidate.age_s)} old"
    return f"{candidate.pool} ({', '.join(said)}{age})"

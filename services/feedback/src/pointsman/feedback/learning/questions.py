"""Answers to questions about what has been learned; changes nothing."""

from pointsman.contracts.feedback import (
    FamilyFeedback,
    FeedbackReport,
    ListRatings,
    PoolBehaviour,
    RatingRow,
    ShowFeedback,
    VariantQuality,
)
from pointsman.feedback.domain.behaviour import Behaviour
from pointsman.feedback.domain.learned import Learned
from pointsman.feedback.domain.ratings import Rating
from pointsman.feedback.ports import RegisteredVariant, TaskFacts


class Questions:
    """Reads the fold and the view."""

    def __init__(self, learned: Learned, tasks: TaskFacts) -> None:
        self._learned = learned
        self._tasks = tasks

    async def show(self, asked: ShowFeedback) -> FeedbackReport:
        """Families by name, with those that nobody has rated, and the pools."""
        registered = await self._tasks.variants()
        families = {each.family for each in registered} | set(self._learned.ratings.families)
        return FeedbackReport(
            families=tuple(
                self._family(name, [each for each in registered if each.family == name])
                for name in sorted(families)
                if asked.family in {None, name}
            ),
            pools=tuple(
                _pool(name, behaviour)
                for name, behaviour in sorted(self._learned.behaviour.items())
                if behaviour.measured is not None
            ),
        )

    def ratings(self, asked: ListRatings) -> list[RatingRow]:
        """Newest first."""
        return [_row(rating) for rating in self._learned.ratings.listed(asked)]

    def _family(self, family: str, registered: list[RegisteredVariant]) -> FamilyFeedback:
        lesson = self._learned.ratings.lesson(family)
        known = {each.variant: each.quality for each in registered}
        strangers = sorted(set(lesson.tallies) - set(known))
        return FamilyFeedback(
            family=family,
            ratings=lesson.ratings,
            variants=tuple(
                self._variant(family, variant, known.get(variant))
                for variant in [*known, *strangers]
            ),
            order=self._learned.order(family),
            threshold=self._learned.threshold(family),
            average=lesson.average,
        )

    def _variant(self, family: str, variant: str, quality: float | None) -> VariantQuality:
        tally = self._learned.ratings.lesson(family).tallies.get(variant)
        if tally is None:
            return VariantQuality(variant=variant, ratings=0, registered=quality)
        low, high = tally.interval
        return VariantQuality(
            variant=variant,
            ratings=tally.ratings,
            registered=quality,
            mean=tally.mean,
            low=low,
            high=high,
        )


def _pool(pool: str, behaviour: Behaviour) -> PoolBehaviour:
    measured, boosted = behaviour.measured, behaviour.boosted
    if measured is None:
        return PoolBehaviour(pool=pool, at=0.0, window_s=0.0, tasks=0)
    return PoolBehaviour(
        pool=pool,
        at=measured.at,
        window_s=measured.window_s,
        tasks=measured.tasks,
        completion_rate=measured.completion_rate,
        average_quality=measured.average_quality,
        resource_efficiency=measured.resource_efficiency,
        context_reuse_rate=measured.context_reuse_rate,
        boost_s=behaviour.boost_s,
        boosted=boosted.classes if boosted is not None and boosted.boost_s else (),
        context_pool_factor=behaviour.factor,
    )


def _row(rating: Rating) -> RatingRow:
    given, withdrawn = rating.given, rating.withdrawn
    return RatingRow(
        rating=rating.id,
        at=given.at,
        position=rating.position,
        tenant=rating.tenant,
        task=given.task,
        family=given.family,
        variant=given.variant,
        kind=given.kind,
        value=given.value,
        comment=given.comment,
        by=given.by,
        source=given.source,
        withdrawn_by=None if withdrawn is None else withdrawn.by,
        withdrawn_reason="" if withdrawn is None else withdrawn.reason,
    )

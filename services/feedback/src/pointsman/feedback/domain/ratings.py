"""Every rating that was ever given, and what is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pointsman.contracts.commands import Rejected
from pointsman.contracts.events import FeedbackGiven, FeedbackWithdrawn
from pointsman.contracts.feedback import (
    MAX_COMMENT_CHARS,
    GiveFeedback,
    ListRatings,
    RatingKind,
    WithdrawFeedback,
)
from pointsman.feedback.domain.lessons import Lesson

MAX_ROWS: Final = 1_000


@dataclass(slots=True)
class Rating:
    """One rating with its end, if it has one."""

    id: UUID
    tenant: str
    position: int
    given: FeedbackGiven
    withdrawn: FeedbackWithdrawn | None = None

    @property
    def counts(self) -> bool:
        """Whether it measures anything."""
        return self.withdrawn is None and self.given.value is not None


class Ratings:
    """The fold of all ratings. They are few beside tasks, so all are kept, in log order."""

    def __init__(self) -> None:
        self._by_id: dict[UUID, Rating] = {}
        self._by_task: dict[str, list[Rating]] = {}
        self._by_family: dict[str, list[Rating]] = {}
        self._lessons: dict[str, Lesson] = {}

    @property
    def families(self) -> list[str]:
        """Families that were ever rated."""
        return sorted(self._by_family)

    def get(self, rating: UUID) -> Rating | None:
        return self._by_id.get(rating)

    def give(self, rating: Rating) -> None:
        """Take a rating that was recorded."""
        given = rating.given
        self._by_id[rating.id] = rating
        self._by_task.setdefault(given.task, []).append(rating)
        self._by_family.setdefault(given.family, []).append(rating)
        lesson = self._lessons.get(given.family)
        if lesson is not None and given.value is not None and given.variant:
            lesson.count(given.variant, given.value)

    def withdraw(self, rating: UUID, withdrawn: FeedbackWithdrawn) -> None:
        """Take a withdrawal that was recorded."""
        found = self._by_id[rating]
        found.withdrawn = withdrawn
        # Learned anew when somebody asks: many are withdrawn at once, and none of it is left.
        self._lessons.pop(found.given.family, None)

    def lesson(self, family: str) -> Lesson:
        """What the ratings of a family that count teach.

        A result that was merged from those of several parts says nothing about one variant.
        """
        lesson = self._lessons.get(family)
        if lesson is None:
            lesson = self._lessons[family] = Lesson()
            for rating in self._by_family.get(family, ()):
                if rating.counts and rating.given.value is not None and rating.given.variant:
                    lesson.count(rating.given.variant, rating.given.value)
        return lesson

    def variants(self, family: str) -> set[str]:
        """Variants of a family that were ever rated."""
        rated = (rating.given.variant for rating in self._by_family.get(family, ()))
        return {variant for variant in rated if variant}

    def average(self, pool: str, *, since: float) -> float | None:
        """Mean of a pool's ratings since a time; None without any."""
        values: list[float] = []
        for rating in reversed(self._by_id.values()):
            if rating.given.at < since:
                break
            if rating.given.pool == pool and rating.counts and rating.given.value is not None:
                values.append(rating.given.value)
        return sum(values) / len(values) if values else None

    def listed(self, asked: ListRatings) -> Iterator[Rating]:
        """Those that were asked for, newest first."""
        wanted = min(max(asked.limit, 1), MAX_ROWS)
        chosen = self._by_id.values()
        ratings = list(chosen if asked.task is None else self._by_task.get(str(asked.task), ()))
        for rating in reversed(ratings):
            if wanted == 0:
                return
            if asked.family in {None, rating.given.family} and asked.tenant in {
                None,
                rating.tenant,
            }:
                wanted -= 1
                yield rating

    def chosen(self, command: WithdrawFeedback) -> list[Rating] | Rejected:
        """The ratings that a command withdraws: those that still stand."""
        ways = (command.rating, command.task, command.family)
        if sum(way is not None for way in ways) != 1 or (command.task and not command.author):
            return Rejected(
                code="invalid_withdrawal",
                message="exactly one of rating, task with author, and family says what to withdraw",
                next="name one rating, or a task and an author, or a family",
            )
        if command.rating is not None:
            found = self._by_id.get(command.rating)
            if found is None or command.tenant not in {None, found.tenant}:
                return _no_such_rating(command.rating)
            candidates = [found]
        elif command.task is not None:
            task = self._by_task.get(str(command.task), [])
            candidates = [rating for rating in task if rating.given.by == command.author]
        else:
            family = self._by_family.get(command.family or "", [])
            candidates = [rating for rating in family if rating.given.at >= command.since]
        return [
            rating
            for rating in candidates
            if rating.withdrawn is None and command.tenant in {None, rating.tenant}
        ]


def wrong_rating(command: GiveFeedback) -> Rejected | None:
    """Why a rating cannot be taken whatever its task; None if it can."""
    value, words = command.value, command.comment
    match command.kind:
        case RatingKind.BOOLEAN:
            fits, wanted = isinstance(value, bool), "a boolean rating has the value true or false"
        case RatingKind.SCORE:
            fits = isinstance(value, float) and 0.0 <= value <= 1.0
            wanted = "a score has a value from 0 to 1"
        case RatingKind.COMMENT:
            fits, wanted = value is None and bool(words), "a comment has words and no value"
    if not fits:
        return Rejected(code="invalid_rating", message=wanted, next="correct the rating")
    if words is not None and len(words) > MAX_COMMENT_CHARS:
        return Rejected(
            code="comment_too_long",
            message=f"{len(words)} characters, at most {MAX_COMMENT_CHARS} are taken",
            next="send a shorter comment",
        )
    return None


def _no_such_rating(rating: UUID) -> Rejected:
    return Rejected(
        code="no_such_rating",
        message=f"there is no rating {rating}",
        next="`pointsman feedback ls` shows the ratings",
    )

"""Events of the feedback service: ratings, measured quality, preferences and behaviour."""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import BlobRef, Message


class FeedbackGiven(Decision, frozen=True):
    """Somebody rated the result of a task."""

    rating: str
    """Stream id, for withdrawing it."""
    task: str
    family: str
    variant: str
    """The one that served."""
    kind: str
    """`boolean`, `score` or `comment`."""
    value: float | None = None
    """0 to 1; None for a comment."""
    comment: BlobRef | None = None
    """Words are personal and never enter the log."""
    by: str = ""
    source: str = ""
    pool: str = ""
    """Where the task ran."""
    conversation: str | None = None


class FeedbackWithdrawn(Decision, frozen=True):
    """A rating counts no more."""

    rating: str
    task: str
    family: str
    variant: str
    by: str
    reason: str = ""


class MeasuredQuality(Message, frozen=True):
    """Ratings of one variant with a Wilson score interval (Wilson 1927)."""

    variant: str
    ratings: int
    mean: float
    low: float
    high: float


class QualityMeasured(Decision, frozen=True):
    """The measured quality of a variant changed."""

    family: str
    measured: MeasuredQuality


class PreferenceChanged(Decision, frozen=True):
    """Which of a family's variants are preferred: the intervals have parted, or meet again."""

    family: str
    before: tuple[str, ...]
    order: tuple[str, ...]
    """Variants whose order by ratings differs from the registry's, best first; empty: none."""
    measured: tuple[MeasuredQuality, ...]
    reason: str


class QualityThresholdMoved(Decision, frozen=True):
    """The least quality of a fallback follows the average quality of the family's results."""

    family: str
    before: float
    threshold: float
    average: float
    ratings: int


class BehaviourMeasured(Decision, frozen=True):
    """The four behaviour metrics over a window; None: nothing to measure. Shares are 0 to 1."""

    pool: str
    window_s: float
    tasks: int
    completion_rate: float | None = None
    average_quality: float | None = None
    resource_efficiency: float | None = None
    """Run seconds of completed tasks over run seconds of all attempts."""
    context_reuse_rate: float | None = None
    """Tasks of conversations that got earlier turns, among those that had any."""


class PriorityBoosted(Decision, frozen=True):
    """Too little completes, so priority work of a pool becomes due earlier; 0 ends it."""

    pool: str
    boost_s: float
    classes: tuple[str, ...]
    completion_rate: float
    threshold: float


class ContextPoolGrown(Decision, frozen=True):
    """Contexts are reused often enough to keep more of them."""

    pool: str
    factor: float
    """Of the capacity that the context pool was started with."""
    context_reuse_rate: float
    threshold: float

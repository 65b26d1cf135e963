"""Every counter of the feedback service, and the event of a rating."""

from typing import Final

from opentelemetry import metrics, trace

from pointsman.contracts.events import FeedbackGiven

_meter: Final = metrics.get_meter("pointsman.feedback")

RATINGS: Final = _meter.create_counter(
    "pointsman.feedback.ratings",
    unit="{rating}",
    description="Answers to ratings by kind and status",
)
DECISIONS: Final = _meter.create_counter(
    "pointsman.feedback.decisions",
    unit="{decision}",
    description="Recorded events that followed from ratings and behaviour",
)


def evaluated(given: FeedbackGiven) -> None:
    """Tell the running span about a rating, by the names of the generative AI conventions.

    Its words are personal and stay away.
    """
    attributes: dict[str, str | float] = {
        "gen_ai.evaluation.name": f"user_{given.kind}",
        "gen_ai.response.id": given.task,
    }
    if given.value is not None:
        attributes["gen_ai.evaluation.score.value"] = given.value
        if given.kind == "boolean":
            attributes["gen_ai.evaluation.score.label"] = "pass" if given.value else "fail"
    trace.get_current_span().add_event("gen_ai.evaluation.result", attributes)

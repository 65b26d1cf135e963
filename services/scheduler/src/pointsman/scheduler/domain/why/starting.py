"""Where a task comes from and from when on it may run, in sentences."""

from pointsman.contracts.events import TaskAccepted
from pointsman.scheduler.domain.why.pools import pool_chosen
from pointsman.scheduler.domain.why.words import moment


def starting(event: TaskAccepted) -> list[str]:
    """What its sender said about when it may run, and what it belongs to."""
    told = [] if event.pool_choice is None else pool_chosen(event.pool_choice)
    if event.schedule:
        told.append(f"Schedule {event.schedule} made it, as {event.message_id}.")
    if event.bulk:
        told.append(f"It was submitted as a part of bulk {event.bulk}.")
    if event.not_before is not None:
        told.append(
            f"It may not run before {moment(event.not_before)}; its place counts from then."
        )
    return told

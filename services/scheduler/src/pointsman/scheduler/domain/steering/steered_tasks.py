"""What a task becomes when an operator's hand on it is in the log."""

from pointsman.contracts.events import Decision, Steered, TaskHeld, TaskRekeyed, TaskReleased
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.waiting import Waiting


def said(event: Steered) -> str:
    """The author of a decision and his reason, as the end of a sentence."""
    return f"{event.by}: {event.reason}"


class SteeredTasks:
    """Changes of open tasks; where they wait changes with them."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    def held(self, task: OpenTask, version: int, event: TaskHeld) -> None:
        """It stands in no queue until it is released."""
        self._leave(task, event)
        task.take(event, version)
        task.held = said(event)

    def released(self, task: OpenTask, version: int, event: TaskReleased) -> None:
        """It waits again where it would have waited."""
        task.take(event, version)
        task.held = ""
        if task.state is TaskState.GRANTED:
            return
        if task.retry_at <= event.at:
            task.retry_at = 0.0
        self._waiting.place(task, event.at)

    def rekeyed(self, task: OpenTask, version: int, event: TaskRekeyed) -> None:
        """It has another place among those of its class, which does not begin to wait anew."""
        waits = task in self._waiting
        if waits:
            self._waiting.no_hold(task)
        task.take(event, version)
        key_before = task.key
        task.rekeyed, task.key = event, event.key
        if task.id in self._waiting.desk:
            self._waiting.desk.push(task.id, task.key, task.position)
        elif waits:
            self._waiting.classes.rekeyed(task, key_before, event.at)

    def _leave(self, task: OpenTask, event: Decision) -> None:
        if task in self._waiting:
            self._waiting.no_hold(task)
            self._waiting.unplace(task, event.at)

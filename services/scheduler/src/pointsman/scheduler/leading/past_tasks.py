"""Tasks that the pool does not remember any more, found in the log."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import TRANSITIONS, TaskState
from pointsman.contracts.topics import TOPICS, version_of
from pointsman.eventstore.ports import EventStore
from pointsman.scheduler.domain.admission.dependencies import PastTask

_ACCEPTED: Final = "task.accepted"

# Whatever a task's state was before, an event that ends it leads to one state.
_STATE_AFTER: Final[Mapping[str, TaskState]] = {
    version_of(topic)[0]: after
    for topic, type_ in TOPICS.items()
    for (_, event), after in TRANSITIONS.items()
    if event is type_
}


class PastTasks:
    """Looks up how tasks ended; the archive is read like the log."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def find(self, tasks: Iterable[UUID]) -> Mapping[UUID, PastTask]:
        """Those of them that were ever accepted."""
        wanted = list(tasks)
        histories = await asyncio.gather(*(self._store.read_stream(task) for task in wanted))
        return {
            task: _past(history)
            for task, history in zip(wanted, histories, strict=True)
            if history and version_of(history[0].type)[0] == _ACCEPTED
        }


def _past(history: Iterable[Recorded]) -> PastTask:
    *_, last = history
    state = _STATE_AFTER.get(version_of(last.type)[0], TaskState.QUEUED)
    return PastTask(last.tenant, state)

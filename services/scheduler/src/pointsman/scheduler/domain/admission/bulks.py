"""The open tasks of a pool by the name under which they were submitted together."""

from uuid import UUID

from pointsman.scheduler.domain.tasks import OpenTask

BulkId = tuple[str, str]
"""Tenant and name."""


class OpenBulks(dict[BulkId, dict[UUID, None]]):
    """Open tasks of each bulk, in the order of their acceptance."""

    def opened(self, task: OpenTask) -> None:
        """A task is open."""
        if task.accepted.bulk:
            self.setdefault((task.tenant, task.accepted.bulk), {})[task.id] = None

    def ended(self, task: OpenTask) -> None:
        """A task is not open any more."""
        if not task.accepted.bulk:
            return
        bulk = (task.tenant, task.accepted.bulk)
        if (tasks := self.get(bulk)) is not None:
            tasks.pop(task.id, None)
            if not tasks:
                del self[bulk]

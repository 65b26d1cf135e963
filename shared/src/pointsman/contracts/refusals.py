"""Codes of refusals that are about one pool, so that another one may take the task."""

from typing import Final

SHED: Final = "shed"
"""The ladder lets nothing of the task's class in."""

QUEUE_FULL: Final = "queue_full"
"""So many tasks wait already, whoever sent them."""

TENANT_QUEUE_FULL: Final = "tenant_queue_full"
"""So many tasks of the tenant wait already."""

NOT_LOADABLE: Final = "not_loadable"
"""No device of the pool could ever have the model loaded."""

DEPENDENCY_ELSEWHERE: Final = "dependency_elsewhere"
"""What the task depends on waits in another pool."""

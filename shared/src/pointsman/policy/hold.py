"""A device that stays free on purpose."""

from dataclasses import dataclass

from pointsman.policy.queued_task import ClassId


@dataclass(frozen=True, slots=True)
class Hold:
    """Who waits is expected to be served sooner by the device that has its model.

    At `until` the device is looked at again, and nothing is held back for the same head any more.
    """

    device: str
    class_id: ClassId
    since: float
    until: float

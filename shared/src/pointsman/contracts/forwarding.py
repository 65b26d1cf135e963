"""A task that came to one pool of a group and goes to another."""

from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.message import Message


class ForwardTask(Message, frozen=True):
    """Queue a task that another pool's leader took from the work queue of other systems.

    It is known by what it was known by there: whichever pool sees it first, a repetition gets the
    same answer.
    """

    task: SubmitTask
    sender: str
    """Whose id the task's command id is."""
    request: bytes
    """What tells a repetition from another request under the same id."""

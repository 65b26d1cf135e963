"""Commands to tasks that were submitted together under one name (`SubmitTask.bulk`).

`pm.cmd.scheduler.<pool>.cancel_bulk` carries a list of `CancelBulk`, answered with a list whose
items are `BulkCancelled` or what refused commands are answered (see `commands`).
`pm.query.scheduler.<pool>.bulk` carries an `AskBulk`, answered with a `BulkRow`.
"""

from typing import Annotated

import msgspec

from pointsman.contracts.message import Message
from pointsman.contracts.subjects import NAME_PATTERN, TENANT_PATTERN


class CancelBulk(Message, frozen=True):
    """End every task of a bulk that is open when it is looked at; running calls are stopped.

    To be repeated while the answer says that more are left. Tasks that are submitted under the
    name afterwards are not meant.
    """

    command_id: str
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    bulk: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
    by: str
    reason: str = ""


class BulkCancelled(Message, frozen=True, tag_field="status", tag="bulk_cancelled"):
    """So many tasks of the bulk were ended by this command, and so many are still open."""

    cancelled: int
    left: int = 0


class AskBulk(Message, frozen=True):
    """How the tasks of a bulk in one pool stand."""

    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    bulk: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]


class BulkRow(Message, frozen=True):
    """Tasks of a bulk in one pool; parts of tasks are not counted."""

    pool: str
    tenant: str
    bulk: str
    states: dict[str, int]
    """How many by state; empty: nothing was ever submitted under the name there."""

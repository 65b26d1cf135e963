"""What the leader of a pool and its executors say to each other.

`pm.lease.<pool>.<executor>` carries a `LeaseOrder`, answered by a `LeaseReceipt` within 500 ms.
`pm.cmd.scheduler.<pool>.report` carries a list of `AttemptReport`, answered by a list of
`ReportAnswer` after the commit; a holder repeats a report until it is answered.
`pm.cmd.scheduler.<pool>.attach` and `.health` carry `AttachExecutor` and `DeviceHealth`.
`pm.tel.lease.<pool>` carries a `Renewal` every 3 s.
"""

from typing import Final
from uuid import UUID

from pointsman.contracts.events.devices import Residency
from pointsman.contracts.message import BlobRef, Message

LEASE_TTL_S: Final = 10.0
RENEW_EVERY_S: Final = 3.0
"""Three renewals fit into a lease's life, so two may be lost."""
RECEIPT_TIMEOUT_S: Final = 0.5
"""After this an order is sent again; the executor knows an attempt that it already has."""


class Lease(Message, frozen=True):
    """Names one run of one task."""

    task: UUID
    attempt: int


class Grant(Message, frozen=True):
    """Run this attempt now on this device."""

    task: UUID
    attempt: int
    tenant: str
    device: str
    variant: str
    payload: BlobRef
    media_type: str
    """Of the result, from the registry."""
    run_timeout_s: float
    parameters: dict[str, str] | None = None
    traceparent: str | None = None
    keep_result: bool = False
    """Its result becomes part of a conversation, so it is kept for longer than others."""
    batch: str = ""
    """Grants of one order with the same batch go to the engine as one call; empty: alone."""


class LeaseOrder(Message, frozen=True):
    """Grants and cancellations that became ready in one turn of the leader's loop."""

    pool: str
    epoch: int
    """Executors refuse orders of an epoch below the greatest that they have seen."""
    grants: tuple[Grant, ...] = ()
    cancels: tuple[Lease, ...] = ()


class LeaseReceipt(Message, frozen=True):
    """Which grants the executor holds now; those not named were refused."""

    executor: str
    incarnation: str
    held: tuple[Lease, ...] = ()
    stale_epoch: bool = False


class RunCompleted(Message, frozen=True, tag_field="outcome", tag="completed"):
    """The engine answered and the result is stored."""

    result: BlobRef
    run_s: float
    model_version: str = ""


class RunFailed(Message, frozen=True, tag_field="outcome", tag="failed"):
    """The engine or the executor could not run it."""

    code: str
    message: str
    retryable: bool
    device_lost: bool = False
    """The engine did not answer at all: the attempt is lost, not failed."""
    shared: bool = False
    """The call was shared, and which of its tasks made it fail is not known."""


class RunTimedOut(Message, frozen=True, tag_field="outcome", tag="timed_out"):
    """The run deadline passed."""

    run_s: float


class RunCancelled(Message, frozen=True, tag_field="outcome", tag="cancelled"):
    """The call was stopped on order; the slot is free."""


Outcome = RunCompleted | RunFailed | RunTimedOut | RunCancelled


class AttemptReport(Message, frozen=True):
    """How an attempt ended; repeated until it is answered."""

    executor: str
    incarnation: str
    device: str
    task: UUID
    attempt: int
    outcome: Outcome


class ReportAnswer(Message, frozen=True):
    """`recorded`, `settled` (known already or ended otherwise), `unavailable` or `not_leader`.

    The holder may forget the attempt after `recorded` and `settled`, and repeats after the rest.
    """

    task: UUID
    attempt: int
    status: str


class DeviceOffer(Message, frozen=True):
    """A device that an executor can run leases on."""

    device: str
    endpoint: str
    device_class: str
    slots: int
    residency: tuple[Residency, ...]
    quiescent: bool = False


class AttachExecutor(Message, frozen=True):
    """An executor has started; its earlier incarnations are gone."""

    command_id: str
    executor: str
    incarnation: str
    devices: tuple[DeviceOffer, ...]


class DeviceHealth(Message, frozen=True):
    """A device stopped or began to serve, seen by its executor."""

    command_id: str
    executor: str
    incarnation: str
    device: str
    healthy: bool
    reason: str
    quiescent: bool = False


class Renewal(Message, frozen=True):
    """All leases that an executor holds; sent every 3 s, lossy."""

    pool: str
    executor: str
    incarnation: str
    leases: tuple[Lease, ...] = ()

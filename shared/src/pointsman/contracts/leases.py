"""What the leader of a pool and its executors say to each other.

`pm.lease.<pool>.<executor>` carries a `LeaseOrder`, answered by a `LeaseReceipt` within 500 ms.
`pm.cmd.scheduler.<pool>.report` carries a list of `AttemptReport`, answered by a list of
`ReportAnswer` after the commit; a holder repeats a report until it is answered.
`pm.cmd.scheduler.<pool>.residency` carries a list of `ResidencyReport`, answered alike.
`pm.cmd.scheduler.<pool>.attach` and `.health` carry `AttachExecutor` and `DeviceHealth`.
`pm.tel.lease.<pool>` carries a `Renewal` every 3 s.
"""

from typing import Final
from uuid import UUID

from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.events.devices import DeviceMode, Residency
from pointsman.contracts.message import BlobRef, Message
from pointsman.contracts.parts import MergeWork, SplitWork

LEASE_TTL_S: Final = 10.0
RENEW_EVERY_S: Final = 3.0
"""Three renewals fit into a lease's life, so two may be lost."""
RECEIPT_TIMEOUT_S: Final = 0.5
"""After this an order is sent again; the executor knows an attempt that it already has."""


class Lease(Message, frozen=True):
    """Names one run of one task, or one change of what is loaded on a device.

    Of a change, `task` is the device's stream and `attempt` its generation.
    """

    task: UUID
    attempt: int


class Grant(Message, frozen=True):
    """Run this attempt now on this device; to `split` or `merge`, here and on none."""

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
    checkpoint: BlobRef | None = None
    """Where an earlier attempt stood: go on from there, or begin anew if it cannot be read."""
    split: SplitWork | None = None
    merge: MergeWork | None = None


class ResidencyGrant(Message, frozen=True):
    """Unload and load models of a device now; no call is in flight that this would hit."""

    device: str
    generation: int
    unload: tuple[str, ...] = ()
    load: str = ""
    timeout_s: float = 0.0
    members: tuple[str, ...] = ()
    """Further devices that the instance is placed on."""


class LeaseOrder(Message, frozen=True):
    """Grants and cancellations that became ready in one turn of the leader's loop."""

    pool: str
    epoch: int
    """Executors refuse orders of an epoch below the greatest that they have seen."""
    grants: tuple[Grant, ...] = ()
    cancels: tuple[Lease, ...] = ()
    residency: tuple[ResidencyGrant, ...] = ()
    incarnation: str = ""
    """Whose leases these are; any other one of that name takes nothing of it. Empty: any may."""


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
    progress_parts: int = 0


class RunSplit(Message, frozen=True, tag_field="outcome", tag="split"):
    """The payload was cut and its parts are stored, in the order of the input."""

    parts: tuple[BlobRef, ...]


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
    """The run deadline passed, or no sign of life came in time."""

    run_s: float
    code: str = ""
    """`heartbeat_missed`; empty: the run deadline."""


class RunCancelled(Message, frozen=True, tag_field="outcome", tag="cancelled"):
    """The call was stopped on order; the slot is free."""


Outcome = RunCompleted | RunSplit | RunFailed | RunTimedOut | RunCancelled


class AttemptReport(Message, frozen=True):
    """How an attempt ended; repeated until it is answered."""

    executor: str
    incarnation: str
    device: str
    task: UUID
    attempt: int
    outcome: Outcome


class ResidencyDone(Message, frozen=True, tag_field="outcome", tag="done"):
    """Everything was unloaded and loaded as granted, and a canary has come back."""

    load_s: float = 0.0
    unload_s: float = 0.0
    unloads_s: dict[str, float] | None = None
    """The same by variant; None: told by an executor that did not measure each."""


class ResidencyRefused(Message, frozen=True, tag_field="outcome", tag="refused"):
    """The engine or the executor could not do it."""

    code: str
    message: str


ResidencyOutcome = ResidencyDone | ResidencyRefused


class ResidencyReport(Message, frozen=True):
    """How a change of a device's residency ended; repeated until it is answered."""

    executor: str
    incarnation: str
    device: str
    generation: int
    outcome: ResidencyOutcome
    residency: tuple[Residency, ...] | None = None
    """All that is loaded now; None: the engine does not say."""


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
    mode: DeviceMode = DeviceMode.FIXED
    memory_mib: float = 0.0
    loadable: tuple[Residency, ...] = ()


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
    residency: tuple[Residency, ...] | None = None
    """What is loaded now; None: what was before."""


class Renewal(Message, frozen=True):
    """All leases that an executor holds; sent every 3 s, lossy."""

    pool: str
    executor: str
    incarnation: str
    leases: tuple[Lease, ...] = ()
    progress: tuple[AttemptProgress, ...] = ()
    """Of those whose models say how far they are."""

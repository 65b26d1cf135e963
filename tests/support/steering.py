"""Commands of operators, and a history that takes them."""

from typing import Final, TypeVar
from uuid import UUID

import msgspec

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.events import Decision, ScopeKind
from pointsman.contracts.leases import RunFailed
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import (
    NO_LIMIT,
    BoostTask,
    DrainDevice,
    HoldTask,
    LimitModel,
    LoadModel,
    MoveTask,
    OperatorCommand,
    PauseScope,
    ReleaseTask,
    ResumeScope,
    SetTenant,
    SteeringCommand,
    UndrainDevice,
    UnloadModel,
)
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.steering.agreed import Agreed
from pointsman.scheduler.domain.steering.commands import decide_steering
from tests.support.scheduling import (
    NOON,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    granted_events,
    model,
    report,
)

WHY: Final = "the launch goes first"


CommandT = TypeVar("CommandT", bound=OperatorCommand)


def numbered(number: int, command: CommandT) -> CommandT:
    """The same wish under another id."""
    return msgspec.structs.replace(command, command_id=f"s{number}")


def _said(number: int = 1) -> dict[str, str]:
    return {"command_id": f"s{number}", "by": "cli:ada", "reason": WHY}


def hold(task: UUID, *, number: int = 1) -> HoldTask:
    return HoldTask(**_said(number), task=task)


def release(task: UUID, *, number: int = 1) -> ReleaseTask:
    return ReleaseTask(**_said(number), task=task)


def boost(task: UUID, boost_s: float, *, number: int = 1) -> BoostTask:
    return BoostTask(**_said(number), task=task, boost_s=boost_s)


def move(task: UUID, priority_class: PriorityClass) -> MoveTask:
    return MoveTask(**_said(), task=task, priority_class=priority_class)


def pause(kind: ScopeKind, name: str) -> PauseScope:
    return PauseScope(**_said(), kind=kind, name=name)


def resume(kind: ScopeKind, name: str) -> ResumeScope:
    return ResumeScope(**_said(), kind=kind, name=name)


def limit(variant: str, running: int = NO_LIMIT) -> LimitModel:
    return LimitModel(**_said(), variant=variant, running=running)


def drain(device: str = "cpu-0") -> DrainDevice:
    return DrainDevice(**_said(), device=device)


def undrain(device: str = "cpu-0") -> UndrainDevice:
    return UndrainDevice(**_said(), device=device)


def load(variant: str, device: str = "") -> LoadModel:
    return LoadModel(**_said(), variant=variant, device=device)


def unload(variant: str, device: str = "") -> UnloadModel:
    return UnloadModel(**_said(), variant=variant, device=device)


def set_tenant(
    tenant: str = "acme",
    *,
    weight: float | None = None,
    running: int | None = None,
    queued: int | None = None,
) -> SetTenant:
    return SetTenant(**_said(), tenant=tenant, weight=weight, running=running, queued=queued)


def steered(history: History, command: SteeringCommand, *, at: float = NOON) -> list[Decision]:
    """Decide and record; the events, none when nothing was left to do or it was refused."""
    steer = decide_steering(history.pool, command, at=at)
    if not isinstance(steer, Agreed):
        return []
    assert history.record(steer.decided)
    return list(steer.decided.events)


def told(history: History, command: SteeringCommand, *, at: float = NOON) -> str:
    """What the operator is told; recorded if there is something to record."""
    steer = decide_steering(history.pool, command, at=at)
    if isinstance(steer, Agreed):
        assert history.record(steer.decided)
    assert not isinstance(steer, Rejected), steer
    return steer.detail


def refusal(history: History, command: SteeringCommand, *, at: float = NOON) -> Rejected:
    steer = decide_steering(history.pool, command, at=at)
    assert isinstance(steer, Rejected), steer
    assert steer.message
    assert steer.next
    return steer


def changes_nothing(history: History, command: SteeringCommand, *, at: float = NOON) -> bool:
    return isinstance(decide_steering(history.pool, command, at=at), Done)


RETRYABLE: Final = RunFailed(code="unavailable", message="refused", retryable=True)


def waiting(*, slots: int = 1) -> History:
    """Two tasks, A before B, and a device that takes them."""
    return given(
        model(),
        attached(slots=slots),
        (A, accepted(key=NOON + 10)),
        (B, accepted(key=NOON + 20)),
    )


def granted(history: History, at: float = NOON) -> list[UUID]:
    return [*granted_events(history.round(at))]


def ends(history: History, task: UUID, attempt: int = 1, at: float = NOON + 1) -> None:
    decided = decide_report(history.pool, report(task, attempt), at=at, draw=0.5)
    assert decided is not None
    assert history.record(decided)

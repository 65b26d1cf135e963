"""Canary inferences: `pm.cmd.executor.<executor>.canary` carries `RunCanary`, one per message."""

from typing import Final

from pointsman.contracts.message import Message

MAX_CANARY_BYTES: Final = 4_096


class RunCanary(Message, frozen=True):
    """Run one inference now, outside of all queues."""

    device: str
    variant: str
    payload: bytes
    timeout_s: float


class CanaryAnswered(Message, frozen=True, tag_field="status", tag="answered"):
    """What the engine gave; whoever asked compares the bytes."""

    output: bytes
    """At most `MAX_CANARY_BYTES`, cut."""
    run_s: float


class CanaryFailed(Message, frozen=True, tag_field="status", tag="failed"):
    """The engine gave nothing; `busy` says nothing about its health."""

    code: str
    message: str
    busy: bool = False


CanaryAnswer = CanaryAnswered | CanaryFailed

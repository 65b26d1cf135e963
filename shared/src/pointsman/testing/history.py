"""A judge over what clients saw and the log that was left, whatever was killed in between."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.history import Verdict, judge
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import is_part

ACCEPTED: Final = "task.accepted.v1"

_MessageKey = tuple[str, str]
"""Tenant and the sender's id."""


@dataclass(slots=True)
class Sent:
    """What a client knows of one message that asks for a task; times are wall-clock seconds.

    `sent_at` is when it was sent for the first time. `tasks` are the tasks that its answers named,
    each once. `stored` says that the bus or an answer promised it a task.
    """

    tenant: str
    message_id: str
    sent_at: float
    answered_at: float | None = None
    tasks: list[UUID] = field(default_factory=list[UUID])
    stored: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that contradicts a promise, by kind; `kinds` without any are left out."""

    log: Verdict
    kinds: dict[str, tuple[str, ...]]

    @property
    def clean(self) -> bool:
        return not self.kinds

    def counts(self) -> dict[str, int]:
        return {kind: len(found) for kind, found in self.kinds.items()}


def check(
    sent: Iterable[Sent], log: Iterable[Recorded], *, own_sources: Collection[str] = ()
) -> Findings:
    """Compare all messages with the whole log, read once in its order after everything has ended.

    `own_sources` are sources of tasks that the system gave itself. Kinds of findings:

    `lost`                a task was promised and the log has none for that message
    `duplicate`           one message became two tasks
    `phantom`             a task that nobody asked for
    `refused_but_there`   the client was told no, the log says yes
    `two_answers`         answers to one message name different tasks
    `wrong_task`          the answer names another task than the log has for that message
    `reordered`           answered before another was sent, and behind it in the log
    `never_terminal`      accepted and never ended
    `double_result`       more than one terminal event
    `stale_leader_write`  an event of an earlier leader behind one of a later leader
    `position_gap`        positions that are missing
    and what `pointsman.contracts.history` finds in the log alone.
    """
    comparison = _Comparison(own_sources)
    by_key = {(each.tenant, each.message_id): each for each in sent}
    verdict = judge(comparison.passing(log, by_key))
    comparison.look_for_the_lost(by_key)
    kinds: dict[str, Iterable[object]] = {
        **comparison.found,
        "never_terminal": verdict.lost,
        "double_result": verdict.duplicate_results,
        "illegal_transition": verdict.illegal_transitions,
        "version_gap": verdict.version_faults,
        "repeated_id": verdict.repeated_ids,
        "position_order": verdict.position_faults,
        "time_order": verdict.time_faults,
        "stream_epoch": verdict.epoch_faults,
        "unreadable": verdict.unreadable,
    }
    listed = {kind: tuple(str(each) for each in found) for kind, found in kinds.items()}
    return Findings(verdict, {kind: found for kind, found in listed.items() if found})


class _Accepted(msgspec.Struct):
    """The part of `TaskAccepted` that tells who asked."""

    tenant: str
    message_id: str
    source: str


_decoder: Final = msgspec.json.Decoder(_Accepted)


class _Comparison:
    def __init__(self, own_sources: Collection[str]) -> None:
        self.found: defaultdict[str, list[object]] = defaultdict(list)
        self._own_sources = frozenset(own_sources)
        self._tasks: defaultdict[_MessageKey, list[UUID]] = defaultdict(list)
        self._epoch = 0
        self._position = 0
        self._latest_sent_at = float("-inf")

    def passing(self, log: Iterable[Recorded], sent: dict[_MessageKey, Sent]) -> Iterable[Recorded]:
        """The same events, looked at on their way."""
        for event in log:
            if event.position != self._position + 1:
                self.found["position_gap"].append(event.position)
            self._position = event.position
            if event.epoch:
                if event.epoch < self._epoch:
                    self.found["stale_leader_write"].append(event.position)
                self._epoch = max(self._epoch, event.epoch)
            if event.type == ACCEPTED:
                self._take_accepted(event, sent)
            yield event

    def look_for_the_lost(self, sent: dict[_MessageKey, Sent]) -> None:
        for key, each in sent.items():
            tasks = self._tasks[key]
            if each.stored and not each.refused and not tasks:
                self.found["lost"].append(key)
            if each.refused and tasks:
                self.found["refused_but_there"].append(key)
            if len(tasks) > 1:
                self.found["duplicate"].append(key)
            if len(each.tasks) > 1:
                self.found["two_answers"].append(key)
            if tasks and any(task not in tasks for task in each.tasks):
                self.found["wrong_task"].append(key)

    def _take_accepted(self, event: Recorded, sent: dict[_MessageKey, Sent]) -> None:
        accepted = _decoder.decode(event.data)
        if accepted.source in self._own_sources or is_part(event.stream):
            return
        key = (accepted.tenant, accepted.message_id)
        self._tasks[key].append(event.stream)
        each = sent.get(key)
        if each is None:
            self.found["phantom"].append(event.position)
            return
        if each.answered_at is not None and each.answered_at < self._latest_sent_at:
            self.found["reordered"].append(event.position)
        self._latest_sent_at = max(self._latest_sent_at, each.sent_at)

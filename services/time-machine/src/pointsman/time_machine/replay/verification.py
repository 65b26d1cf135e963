"""Verification: the log is folded, and every decision is made again where it was made.

A decision names the position that its pool stood at (`applied_to`) and is recorded some positions
later, so that the log is read ahead of the fold by `WINDOW`.
"""

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.eventstore.log_rows import LogRow
from pointsman.eventstore.reading import DamagedEventError, NewerEventError
from pointsman.policy.parameters import KNOWN_RULES, rules_of
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.time_machine.pool_log import Entry, PoolLog
from pointsman.time_machine.replay.appends import Append, Moment, moments
from pointsman.time_machine.replay.differences import TOPIC_OF, Difference, differences
from pointsman.time_machine.replay.past_policies import PastPolicies
from pointsman.time_machine.replay.redeciding import OF_LEADERS, REDECIDED, redecide
from pointsman.time_machine.replay.stops import Stopped, before_gap, not_fitting, unreadable

WINDOW: Final = 10_000
"""Positions between the state of a decision and the decision: thousands only where others append
while the leader's own appends wait."""
SHOWN: Final = 20
"""Differences that a report holds; all are counted."""

_OF_POOLS: Final = frozenset(type_ for type_ in TOPIC_OF if "pool" in type_.__struct_fields__)
"""Events that name their pool."""


class Verification:
    """Takes the whole log in order for one pool; `end` it.

    Decisions of other pools are passed over, and without `owns_shared` so is what belongs to none.
    """

    def __init__(
        self, pool: str, *, first: int = 1, last: int | None = None, owns_shared: bool = True
    ) -> None:
        self.pool: Final = Pool(pool)
        self.events = 0
        self.decisions = 0
        """Events of decisions that were made again."""
        self.verified = 0
        self.different = 0
        self.differences: list[Difference] = []
        self.beyond_window = 0
        self.unrecorded = 0
        """Decided again in rounds of which other decisions are in the log: these lost a race with a
        command, or their append did not come through."""
        self.not_redecided: Counter[str] = Counter()
        """By topic."""
        self.stopped: Stopped | None = None
        """Where the fold ended before the log did."""
        self.read_to = 0
        """Position of the last event that was read."""
        self.folding_s = 0.0
        self.deciding_s = 0.0
        self._first, self._last = first, last
        self._owns_shared = owns_shared
        self._shared = frozenset({*self.pool.influences.types, events.ModelRegistered})
        self._log = PoolLog(self.pool)
        self._ahead: deque[Entry] = deque()
        self._due: dict[int, list[Entry]] = {}
        self._foreign: set[UUID] = set()
        self._policies = PastPolicies()

    def take(self, rows: Sequence[LogRow]) -> None:
        """The next rows; one that cannot be read ends the replay as `break_off` does."""
        if self.stopped is not None:
            return
        began = time.perf_counter()
        entries: list[Entry | None] = []
        rows, unread = before_gap(rows, self.read_to)
        try:
            for row in rows:
                entries.append(self._log.entry(row))  # noqa: PERF401 - those before an error stay
        except (NewerEventError, DamagedEventError) as error:
            unread = unreadable(error)
        self._ahead += [entry for entry in entries if entry is not None]
        read = time.perf_counter()
        self.folding_s += read - began
        self.events += len(entries)
        for row, entry in zip(rows, entries, strict=False):
            self.read_to = row[0]
            if row[0] >= self._first and (self._last is None or row[0] <= self._last):
                self._plan(row, entry)
        self.deciding_s += time.perf_counter() - read
        if unread is not None:
            self.break_off(unread)
        else:
            self._advance(self.read_to - WINDOW)

    def break_off(self, stopped: Stopped) -> None:
        """Nothing more can be read: what was read is decided again, but for what was cut."""
        self._drop_cut()
        self.end()
        self.stopped = self.stopped or stopped
        self._ahead.clear()

    def end(self) -> None:
        """The log is at its end."""
        self._advance(None)
        self._fold_to(None)

    def _plan(self, row: LogRow, entry: Entry | None) -> None:
        if entry is None:
            self.not_redecided[row[3]] += self._owns_shared
            return
        event = entry[3]
        if not self._owns_shared and type(event) in self._shared:
            return
        if type(event) not in OF_LEADERS:
            self._policies.take(entry)
            self.not_redecided[row[3]] += 1
            return
        if type(event) in _OF_POOLS and not self._is_mine(entry[1], event):
            return
        if self._foreign and entry[1] in self._foreign:
            return
        self._policies.take(entry)
        stood_at = event.applied_to
        if stood_at < self.pool.applied_to:
            self.beyond_window += 1
            return
        due = self._due.get(stood_at)
        if due is None:
            self._due[stood_at] = [entry]
        else:
            due.append(entry)

    def _drop_cut(self) -> None:
        """Forget the decision whose events may go on behind the last that was read."""
        if not self._ahead or self._ahead[-1][0] != self.read_to:
            return
        last = self._ahead[-1][3]
        due = self._due.pop(last.applied_to, [])
        whole = [entry for entry in due if entry[3].at != last.at]
        if whole:
            self._due[last.applied_to] = whole

    def _is_mine(self, stream: UUID, event: Decision) -> bool:
        mine = getattr(event, "pool", self.pool.name) == self.pool.name
        if not mine:
            self._foreign.add(stream)
        return mine

    def _advance(self, upto: int | None) -> None:
        """Make the decisions whose recording must have been read."""
        for position in sorted(self._due):
            if upto is not None and position > upto:
                break
            self._fold_to(position)
            if self.stopped is not None:
                break
            began = time.perf_counter()
            entries = self._due.pop(position)
            try:
                for moment in moments(self._of_this_policy(entries)):
                    self._decide(moment)
            except Exception as error:  # noqa: BLE001 - the state is none that a pool can be in
                self._stop(entries[0], error)
                break
            self.deciding_s += time.perf_counter() - began

    def _fold_to(self, position: int | None) -> None:
        began = time.perf_counter()
        ahead, evolve = self._ahead, self.pool.evolve
        try:
            while ahead and (position is None or ahead[0][0] <= position):
                evolve(*ahead[0])
                ahead.popleft()
        except Exception as error:  # noqa: BLE001 - the event follows from no decision
            self._stop(ahead[0], error)
        if position is not None:
            self.pool.applied_to = position
        self.folding_s += time.perf_counter() - began

    def _stop(self, entry: Entry, error: Exception) -> None:
        position, _, _, event = entry
        self.stopped = not_fitting(position, TOPIC_OF[type(event)], error)
        self._ahead.clear()

    def _of_this_policy(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Decisions of another release's policy follow from rules that are not here."""
        config = self._policies.at(entries[-1][0])
        if config is None or rules_of(config) in KNOWN_RULES:
            return entries
        self.not_redecided.update(f"{TOPIC_OF[type(entry[3])]} ({config})" for entry in entries)
        return ()

    def _decide(self, moment: Moment) -> None:
        if moment.round:
            again = decide_round(self.pool, at=moment.at)
            decided = {item.stream: item for one in again for item in (one, *one.also)}
            for append in moment.round:
                self._compare(append, differences(append, decided.pop(append.stream, None)))
            self.unrecorded += sum(len(item.events) for item in decided.values())
        for append in moment.commands:
            if type(append.first) in REDECIDED:
                self._compare(append, differences(append, redecide(self.pool, append, moment)))
            else:
                self.not_redecided.update(TOPIC_OF[type(event)] for event in append.events)

    def _compare(self, append: Append, found: list[Difference]) -> None:
        self.decisions += len(append.events)
        self.verified += len(append.events) - min(len(found), len(append.events))
        self.different += len(found)
        self.differences += found[: SHOWN - len(self.differences)]

"""The queue gives the exact minimum, whatever was pushed, removed and re-keyed before."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pointsman.policy.queue import KeyQueue

ITEMS = st.integers(0, 30)
KEYS = st.integers(0, 8).map(float)


class QueueMachine(RuleBasedStateMachine):
    """A queue beside a plain list; the list is what the queue promises."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: KeyQueue[int] = KeyQueue()
        self.plain: dict[int, tuple[float, int, int]] = {}
        self.sequence = 0

    def expected(self) -> list[tuple[float, int, int]]:
        return sorted(self.plain.values())

    @rule(item=ITEMS, key=KEYS)
    def push(self, item: int, key: float) -> None:
        self.sequence += 1
        self.queue.push(item, key, self.sequence)
        self.plain[item] = (key, self.sequence, item)

    @rule(item=ITEMS, key=KEYS)
    def put_back_in_its_place(self, item: int, key: float) -> None:
        if item in self.plain:
            _, sequence, _ = self.plain[item]
            self.queue.push(item, key, sequence)
            self.plain[item] = (key, sequence, item)

    @rule(item=ITEMS)
    def discard(self, item: int) -> None:
        assert self.queue.discard(item) == (self.plain.pop(item, None) is not None)

    @rule()
    def pop(self) -> None:
        popped = self.queue.pop()

        assert popped == (self.expected()[0] if self.plain else None)
        if popped is not None:
            del self.plain[popped[2]]

    @invariant()
    def the_head_is_the_minimum(self) -> None:
        assert self.queue.head() == (self.expected()[0] if self.plain else None)

    @invariant()
    def everything_is_there(self) -> None:
        assert list(self.queue) == self.expected()
        assert len(self.queue) == len(self.plain)
        assert all((item in self.queue) == (item in self.plain) for item in range(31))


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueMachine = QueueMachine.TestCase


def test_thousands_of_dead_entries_at_the_front_hide_nothing() -> None:
    queue: KeyQueue[int] = KeyQueue()
    for item in range(10_000):
        queue.push(item, float(item), item)

    for item in range(9_990):
        queue.discard(item)

    assert [queue.pop() for _ in range(10)] == [(float(n), n, n) for n in range(9_990, 10_000)]
    assert queue.pop() is None


def test_a_sweep_that_is_not_finished_still_gives_the_minimum() -> None:
    queue: KeyQueue[int] = KeyQueue()
    for item in range(10_000):
        queue.push(item, float(item), item)
    for item in range(9_000):
        queue.discard(item)

    assert queue.head() == (9_000.0, 9_000, 9_000)
    queue.push(1, 1.0, 1)

    assert queue.head() == (1.0, 1, 1)
    assert queue.pop() == (1.0, 1, 1)
    assert queue.pop() == (9_000.0, 9_000, 9_000)


def test_an_empty_queue_that_was_full_is_swept_and_filled_again() -> None:
    queue: KeyQueue[int] = KeyQueue()
    for item in range(5_000):
        queue.push(item, 0.0, item)
    for item in range(5_000):
        queue.discard(item)

    assert queue.head() is None
    queue.push(7, 3.0, 1)

    assert list(queue) == [(3.0, 1, 7)]

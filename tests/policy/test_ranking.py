"""The ranking gives the exact order, whatever was put, moved and removed before."""

import random
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pointsman.policy.ranking import Ranking

ITEMS: Final = st.integers(0, 30)
KEYS: Final = st.integers(0, 8).map(float)


class RankingMachine(RuleBasedStateMachine):
    """A ranking beside a plain list; the list is what the ranking promises."""

    def __init__(self) -> None:
        super().__init__()
        self.ranking: Ranking[int] = Ranking()
        self.plain: dict[int, tuple[float, int, int]] = {}

    def expected(self) -> list[tuple[float, int, int]]:
        return sorted(self.plain.values())

    @rule(item=ITEMS, key=KEYS)
    def put(self, item: int, key: float) -> None:
        self.ranking.put(item, key, item)
        self.plain[item] = (key, item, item)

    @rule(item=ITEMS)
    def discard(self, item: int) -> None:
        assert self.ranking.discard(item) == (self.plain.pop(item, None) is not None)

    @rule()
    def pop(self) -> None:
        popped = self.ranking.pop()

        assert popped == (self.expected()[0] if self.plain else None)
        if popped is not None:
            del self.plain[popped[2]]

    @invariant()
    def the_order_is_exact(self) -> None:
        assert list(self.ranking) == self.expected()
        assert self.ranking.first() == (self.expected()[0] if self.plain else None)
        assert self.ranking.first_item() == (self.expected()[0][2] if self.plain else None)
        assert len(self.ranking) == len(self.plain)
        assert all((item in self.ranking) == (item in self.plain) for item in range(31))
        assert all(self.ranking.key_of(item) == key for item, (key, _, _) in self.plain.items())


RankingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRankingMachine = RankingMachine.TestCase


def test_the_order_is_exact_over_many_blocks_too() -> None:
    ranking: Ranking[int] = Ranking()
    plain: dict[int, tuple[float, int, int]] = {}
    draws = random.Random(1)

    for step in range(20_000):
        item = draws.randrange(5_000)
        if step % 3 == 2:
            assert ranking.discard(item) == (plain.pop(item, None) is not None)
        else:
            key = float(draws.randrange(100))
            ranking.put(item, key, item)
            plain[item] = (key, item, item)

    assert list(ranking) == sorted(plain.values())
    assert [ranking.pop() for _ in range(len(plain))] == sorted(plain.values())
    assert ranking.pop() is None
    assert ranking.first_item() is None

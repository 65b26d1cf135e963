"""Sorted blocks give the exact order of keys and numbers, over many blocks and equal keys too."""

import random
from typing import NamedTuple

import pytest

from pointsman.policy.sorted_blocks import SortedBlocks


class Numbered(NamedTuple):
    """What has a number only; its key stands beside it."""

    number: int


@pytest.mark.parametrize("keys", [1, 3, 100, 1_000_000])
def test_the_order_is_exact_whatever_was_put_and_removed(keys: int) -> None:
    draws = random.Random(keys)
    blocks: SortedBlocks[Numbered] = SortedBlocks()
    plain: dict[Numbered, float] = {}

    for step in range(12_000):
        if plain and draws.random() < 0.3:
            gone = draws.choice(list(plain)) if step % 50 == 0 else next(iter(plain))
            was_first = blocks.first() is gone
            assert blocks.remove(gone, plain.pop(gone)) == was_first
            assert not blocks.has(gone, 0.0)
        else:
            come = Numbered(draws.randrange(10**9))
            key = float(draws.randrange(keys))
            is_first = blocks.put(come, key)
            plain[come] = key
            assert is_first == (blocks.first() is come)
            assert blocks.has(come, key)

    in_order = sorted(plain, key=lambda item: (plain[item], item.number))
    assert list(blocks) == in_order
    assert len(blocks.blocks) > 1

    for item in in_order:
        assert blocks.first() is item
        assert blocks.remove(item, plain[item])
    assert blocks.first() is None


@pytest.mark.parametrize("keys", [1, 3, 1_000_000])
@pytest.mark.parametrize("size", [1, 2, 50, 3_000])
def test_what_is_replaced_stands_where_its_new_key_belongs(keys: int, size: int) -> None:
    draws = random.Random(keys + size)
    blocks: SortedBlocks[Numbered] = SortedBlocks()
    plain = {Numbered(number): float(draws.randrange(keys)) for number in range(size)}
    for item, key in plain.items():
        blocks.put(item, key)

    for number in range(size, size + 500):
        gone = draws.choice(list(plain)) if number % 2 else blocks.first()
        assert gone is not None
        come, key = Numbered(number), float(draws.randrange(keys))
        blocks.replace(gone, plain.pop(gone), come, key)
        plain[come] = key

    assert list(blocks) == sorted(plain, key=lambda item: (plain[item], item.number))
    with pytest.raises(LookupError):
        blocks.replace(Numbered(-1), 0.0, Numbered(-2), 0.0)


def test_an_item_leaves_with_the_key_that_it_was_put_with() -> None:
    blocks: SortedBlocks[Numbered] = SortedBlocks()
    first, second = Numbered(1), Numbered(2)
    blocks.put(first, 1.0)
    blocks.put(second, 2.0)

    with pytest.raises(LookupError):
        blocks.remove(second, 3.0)

    assert list(blocks) == [first, second]
    assert not blocks.has(second, 3.0)
    assert blocks.has(second, 2.0)

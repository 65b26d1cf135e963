"""Items in the order of a key and their number: a sorted list cut into blocks.

Putting and removing cost a binary search and the move of a part of one block, whatever was removed
before. A heap whose dead entries are skipped is a little faster until many are cancelled at its
front: after half of a million, each of the next looks took 50 ms.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Final, Generic, Protocol, TypeVar

_LONGEST: Final = 1_024
"""Items of a block before it is cut in two."""


class Numbered(Protocol):
    """What is sorted."""

    @property
    def number(self) -> int:
        """Decides between equal keys; no two items share it."""
        ...


NumberedT = TypeVar("NumberedT", bound=Numbered)

_number: Final = attrgetter("number")


class Block(Generic[NumberedT]):
    """Neighbours in the order, with their keys beside them.

    The keys are searched, and not the items: among 250 items that took 2 us, most of it waiting for
    memory that lies elsewhere, and among numbers side by side it takes 0.3 us.
    """

    __slots__ = ("items", "keys")

    def __init__(self, items: list[NumberedT], keys: "array[float]") -> None:
        self.items = items
        self.keys = keys

    def among_equals(self, first: int, number: int) -> int:
        """Where a number is or belongs among those with the same key, of which one is `first`."""
        keys, items = self.keys, self.items
        # Those of a bulk have one key, and mostly come in order, and leave in order.
        if keys[-1] == keys[first] and items[-1].number < number:
            return len(keys)
        end = bisect_right(keys, keys[first], first)
        return bisect_left(items, number, first, end, key=_number)


class SortedBlocks(Generic[NumberedT]):
    """Items by smallest key; each has to be removed with the key that it was put with."""

    __slots__ = ("_starts", "blocks")

    def __init__(self) -> None:
        self.blocks: Final[list[Block[NumberedT]]] = [Block([], array("d"))]
        """In order. There is always one; only where nothing is here it is empty."""
        self._starts: list[tuple[float, int]] = []
        """For each block but the first: nothing in it comes before this."""

    def __iter__(self) -> Iterator[NumberedT]:
        """Items in order; nothing may change meanwhile."""
        for block in self.blocks:
            yield from block.items

    def first(self) -> NumberedT | None:
        """The item that comes first."""
        items = self.blocks[0].items
        return items[0] if items else None

    def has(self, item: NumberedT, key: float) -> bool:
        """Whether an item is here with this key."""
        block = self.blocks[self._block_at(item, key) if self._starts else 0]
        if block.items and block.items[0] is item:
            return True
        place = bisect_left(block.keys, key)
        if place == len(block.keys) or block.keys[place] != key:
            return False
        place = block.among_equals(place, item.number)
        return place < len(block.items) and block.items[place] is item

    def put(self, item: NumberedT, key: float) -> bool:
        """Add an item; whether it comes first now."""
        at = self._block_at(item, key) if self._starts else 0
        block = self.blocks[at]
        keys = block.keys
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            place = block.among_equals(place, item.number)
        keys.insert(place, key)
        block.items.insert(place, item)
        if len(keys) > _LONGEST:
            self._cut(at)
        return place == 0 and at == 0

    def replace(self, before: NumberedT, before_key: float, item: NumberedT, key: float) -> None:
        """Remove one and put another; `LookupError` if that is not here with this key."""
        items, keys = self.blocks[0].items, self.blocks[0].keys
        if self._starts:
            self.remove(before, before_key)
            self.put(item, key)
        elif len(items) == 1 and items[0] is before:
            # As is the only tenant of a class, whose head is another after each start.
            items[0], keys[0] = item, key
        else:
            place = bisect_left(keys, before_key)
            if place == len(items) or items[place] is not before:
                self.remove(before, before_key)
            else:
                del items[place], keys[place]
            place = bisect_left(keys, key)
            if place < len(keys) and keys[place] == key:
                place = self.blocks[0].among_equals(place, item.number)
            keys.insert(place, key)
            items.insert(place, item)

    def remove(self, item: NumberedT, key: float) -> bool:
        """Remove an item; whether it came first. `LookupError` if it is not here with this key."""
        at = self._block_at(item, key) if self._starts else 0
        block = self.blocks[at]
        items = block.items
        # The first leaves more often than any other.
        place = 0 if items[0] is item else bisect_left(block.keys, key)
        if items[place] is not item:
            place = block.among_equals(place, item.number)
            if items[place] is not item:
                raise KeyError(item)
        del items[place], block.keys[place]
        if not items and self._starts:
            # What would come into it belongs to the block before it, or to the first one.
            del self.blocks[at], self._starts[max(0, at - 1)]
        return place == 0 and at == 0

    def _block_at(self, item: NumberedT, key: float) -> int:
        starts, mine = self._starts, (key, item.number)
        # What is due last mostly comes last.
        return len(starts) if mine >= starts[-1] else bisect_right(starts, mine)

    def _cut(self, at: int) -> None:
        block, half = self.blocks[at], _LONGEST // 2
        after = Block(block.items[half:], block.keys[half:])
        self.blocks.insert(at + 1, after)
        self._starts.insert(at, (after.keys[0], after.items[0].number))
        del block.items[half:], block.keys[half:]

"""Items in key order with removal in place: a sorted list cut into blocks.

Putting, removing and looking at the first cost two binary searches and the move of a part of one
block, whatever was removed before. A heap whose dead entries are skipped is a little faster until
many are cancelled at its front: after half of a million, each of the next looks took 50 ms.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

import msgspec

Item = TypeVar("Item")

_LONGEST: Final = 1_024
"""Entries of a block before it is cut in two."""


# Not tracked by the garbage collector: tuples, which are, pile up in its youngest generation where
# as many are removed as are put, until one collection of 100 000 of them takes 40 ms.
class _Entry(msgspec.Struct, frozen=True, order=True, gc=False):
    key: float
    sequence: int
    item: Any


class Ranking(Generic[Item]):
    """Items by smallest key; equal keys in the order of `sequence`, which no two items share."""

    __slots__ = ("_blocks", "_entries", "_lasts")

    def __init__(self) -> None:
        self._blocks: list[list[_Entry]] = []
        self._lasts: list[_Entry] = []
        self._entries: dict[Item, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: Item) -> bool:
        return item in self._entries

    def __iter__(self) -> Iterator[tuple[float, int, Item]]:
        """Key, sequence and item in order; nothing may change meanwhile."""
        for block in self._blocks:
            for entry in block:
                yield entry.key, entry.sequence, entry.item

    def items_to(self, key: float) -> Iterator[Item]:
        """Items with this key or a smaller one, in order; nothing may change meanwhile."""
        for block in self._blocks:
            for entry in block:
                if entry.key > key:
                    return
                yield entry.item

    def key_of(self, item: Item) -> float | None:
        """The key of an item, if it is here."""
        entry = self._entries.get(item)
        return None if entry is None else entry.key

    def entry_of(self, item: Item) -> tuple[float, int] | None:
        """Key and sequence of an item, if it is here."""
        entry = self._entries.get(item)
        return None if entry is None else (entry.key, entry.sequence)

    def first(self) -> tuple[float, int, Item] | None:
        """Key, sequence and item that come first."""
        if not self._blocks:
            return None
        entry = self._blocks[0][0]
        return entry.key, entry.sequence, entry.item

    def first_item(self) -> Item | None:
        """The item that comes first."""
        return self._blocks[0][0].item if self._blocks else None

    def put(self, item: Item, key: float, sequence: int) -> None:
        """Add an item, or give it another key."""
        entry = _Entry(key, sequence, item)
        entries, lasts = self._entries, self._lasts
        known = entries.get(item)
        if known is not None:
            if known.key == key and known.sequence == sequence:
                return
            self._take_out(known)
        entries[item] = entry
        if not lasts:
            self._blocks.append([entry])
            lasts.append(entry)
        elif entry > lasts[-1]:
            # What is due last mostly comes last.
            block = self._blocks[-1]
            block.append(entry)
            lasts[-1] = entry
            if len(block) > _LONGEST:
                self._cut(len(lasts) - 1)
        else:
            at = bisect_left(lasts, entry) if len(lasts) > 1 else 0
            block = self._blocks[at]
            insort(block, entry)
            if len(block) > _LONGEST:
                self._cut(at)

    def discard(self, item: Item) -> bool:
        """Remove an item; false if it is not here."""
        entry = self._entries.pop(item, None)
        if entry is None:
            return False
        self._take_out(entry)
        return True

    def pop(self) -> tuple[float, int, Item] | None:
        """Remove and return the first."""
        first = self.first()
        if first is not None:
            self.discard(first[2])
        return first

    def _cut(self, at: int) -> None:
        block, half = self._blocks[at], _LONGEST // 2
        self._blocks.insert(at + 1, block[half:])
        del block[half:]
        self._lasts.insert(at, block[-1])

    def _take_out(self, entry: _Entry) -> None:
        lasts = self._lasts
        at = bisect_left(lasts, entry) if len(lasts) > 1 else 0
        block = self._blocks[at]
        del block[0 if block[0] is entry else bisect_left(block, entry)]
        if not block:
            del self._blocks[at], lasts[at]
        elif lasts[at] is entry:
            lasts[at] = block[-1]

"""Items in key order that can be given another key, or removed, whatever key they have."""

from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from pointsman.policy.sorted_blocks import SortedBlocks

Item = TypeVar("Item", bound=Hashable)


# Not tracked by the garbage collector: tuples, which are, pile up in its youngest generation where
# as many are removed as are put, until one collection of 100 000 of them takes 40 ms.
class _Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    key: float
    number: int
    item: Any


class Ranking(Generic[Item]):
    """Items by smallest key; equal keys in the order of `sequence`, which no two items share."""

    __slots__ = ("_entries", "_sorted")

    def __init__(self) -> None:
        self._sorted: SortedBlocks[_Entry] = SortedBlocks()
        self._entries: dict[Item, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: Item) -> bool:
        return item in self._entries

    def __iter__(self) -> Iterator[tuple[float, int, Item]]:
        """Key, sequence and item in order; nothing may change meanwhile."""
        for entry in self._sorted:
            yield entry.key, entry.number, entry.item

    def items(self) -> Iterator[Item]:
        """Items in order; nothing may change meanwhile."""
        for block in self._sorted.blocks:
            for entry in block.items:
                yield entry.item

    def first_within(
        self, key: float, values: Mapping[Item, float], most: float, barred: Collection[Item]
    ) -> Item | None:
        """The first with this key or a smaller one whose value, 0 if it has none, is not above.

        None of those in `barred`.
        """
        # Asked for every start, and looks at some ten.
        value_of = values.get
        for block in self._sorted.blocks:
            for entry in block.items:
                if entry.key > key:
                    return None
                item: Item = entry.item
                if value_of(item, 0.0) <= most and item not in barred:
                    return item
        return None

    def key_of(self, item: Item) -> float | None:
        """The key of an item, if it is here."""
        entry = self._entries.get(item)
        return None if entry is None else entry.key

    def entry_of(self, item: Item) -> tuple[float, int] | None:
        """Key and sequence of an item, if it is here."""
        entry = self._entries.get(item)
        return None if entry is None else (entry.key, entry.number)

    def first(self) -> tuple[float, int, Item] | None:
        """Key, sequence and item that come first."""
        entry = self._sorted.first()
        return None if entry is None else (entry.key, entry.number, entry.item)

    def first_item(self) -> Item | None:
        """The item that comes first."""
        entry = self._sorted.first()
        return None if entry is None else entry.item

    def first_key(self) -> float | None:
        """The smallest key."""
        # Asked before every event; a call less is felt.
        items = self._sorted.blocks[0].items
        return items[0].key if items else None

    def put(self, item: Item, key: float, sequence: int) -> None:
        """Add an item, or give it another key."""
        known = self._entries.get(item)
        if known is not None and known.key == key and known.number == sequence:
            return
        entry = self._entries[item] = _Entry(key, sequence, item)
        if known is None:
            self._sorted.put(entry, key)
        else:
            self._sorted.replace(known, known.key, entry, key)

    def discard(self, item: Item) -> bool:
        """Remove an item; false if it is not here."""
        entry = self._entries.pop(item, None)
        if entry is None:
            return False
        self._sorted.remove(entry, entry.key)
        return True

    def pop(self) -> tuple[float, int, Item] | None:
        """Remove and return the first."""
        first = self.first()
        if first is not None:
            self.discard(first[2])
        return first

"""What is remembered of recently used conversations: bounded by bytes, least recently used out."""

import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pointsman.context.domain.choice import CANDIDATES
from pointsman.context.domain.conversation import Conversation

# A turn of an aggregate with its references, as CPython keeps it.
_TURN_BYTES: Final = 1_500


@dataclass(frozen=True, slots=True)
class Words:
    """A turn's texts, and the embedding of its input where there is one."""

    input: str
    result: str
    embedding: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of memory."""
        texts = sys.getsizeof(self.input) + sys.getsizeof(self.result)
        return texts + (sys.getsizeof(self.embedding) if self.embedding else 0)


@dataclass(slots=True)
class Remembered:
    """A conversation as of its last turn, with the words of its latest turns by their number."""

    conversation: Conversation
    words: dict[int, Words] = field(default_factory=dict[int, Words])

    def forget_older(self) -> None:
        """Words of turns that are no candidates any more."""
        first = len(self.conversation.turns) - CANDIDATES + 1
        for turn in [number for number in self.words if number < first]:
            del self.words[turn]

    @property
    def size(self) -> int:
        """Bytes of memory."""
        turns = len(self.conversation.turns) * _TURN_BYTES
        return turns + sum(words.size for words in self.words.values())


class ContextPool:
    """Keeps at most `capacity` bytes; what is larger than that is not kept at all."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self._kept: OrderedDict[UUID, tuple[Remembered, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, conversation: UUID) -> Remembered | None:
        """What is remembered; it becomes the most recently used."""
        kept = self._kept.get(conversation)
        if kept is None:
            return None
        self._kept.move_to_end(conversation)
        return kept[0]

    def count(self, *, hit: bool) -> None:
        """Note whether an assembly found all it needed."""
        if hit:
            self.hits += 1
        else:
            self.misses += 1

    def keep(self, conversation: UUID, remembered: Remembered) -> None:
        """Remember it, as it is now, as the most recently used."""
        self.forget(conversation)
        remembered.forget_older()
        size = remembered.size
        if size > self.capacity:
            return
        self._kept[conversation] = (remembered, size)
        self.size += size
        self._evict()

    def forget(self, conversation: UUID) -> None:
        """Without counting it as an eviction."""
        kept = self._kept.pop(conversation, None)
        if kept is not None:
            self.size -= kept[1]

    def resize(self, capacity: int) -> None:
        """Grow, or shrink at once."""
        self.capacity = capacity
        self._evict()

    def _evict(self) -> None:
        while self.size > self.capacity:
            _, (_, size) = self._kept.popitem(last=False)
            self.size -= size
            self.evictions += 1

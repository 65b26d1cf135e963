"""Embeddings of short texts without a model: hashed words and character n-grams, weighted.

Inflected forms of a word share most of its n-grams, so that "summary" and "summarise" are near.
The same in every process and release: hashes are CRC-32, nothing is random.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log, sqrt
from typing import Final

DIMENSIONS: Final = 1 << 16
"""So many that two n-grams of one text hardly ever meet; vectors are sparse."""

EDGE_CHARS: Final = 1024
"""What is wanted is said first or last; a document in between would drown it, and take long."""

Vector = Mapping[int, float]
"""Dimension -> weight; of length 1, or empty."""

_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_WORD_WEIGHT: Final = 2.0
"""A whole word is better evidence than one of its n-grams."""
_GRAMS: Final = (3, 4, 5)
_REMEMBERED_WORDS: Final = 20_000


def read_text(payload: bytes) -> str:
    """The parts of a payload that are looked at; empty if it is no text."""
    ends = payload
    if len(payload) > 2 * EDGE_CHARS:
        ends = payload[:EDGE_CHARS] + b" " + payload[-EDGE_CHARS:]
    text = ends.decode(errors="replace")
    return "" if "\x00" in text else text


class TextWeights:
    """How much each dimension tells: those that few of the known texts have tell more."""

    def __init__(self, texts: Iterable[str]) -> None:
        known = [_counted(text) for text in texts]
        met = Counter(dimension for counts in known for dimension in counts)
        self._weights = {
            dimension: 1.0 + log((1 + len(known)) / (1 + times)) for dimension, times in met.items()
        }
        self._of_unknown = 1.0 + log(1.0 + len(known))

    def embed(self, text: str) -> Vector:
        """The vector of a text; empty for one without words."""
        weighted = {
            dimension: sqrt(count) * self._weights.get(dimension, self._of_unknown)
            for dimension, count in _counted(text).items()
        }
        length = sqrt(sum(weight * weight for weight in weighted.values()))
        return {dimension: weight / length for dimension, weight in weighted.items()}


def _counted(text: str) -> Mapping[int, float]:
    counts: defaultdict[int, float] = defaultdict(float)
    for word in _WORD.findall(text.lower()):
        for dimension, weight in _dimensions(word):
            counts[dimension] += weight
    return counts


@lru_cache(maxsize=_REMEMBERED_WORDS)
def _dimensions(word: str) -> tuple[tuple[int, float], ...]:
    marked = f"<{word}>"
    grams = {marked[i : i + n] for n in _GRAMS for i in range(len(marked) - n + 1)}
    share = 1.0 / sqrt(1 + len(grams))
    pieces = [(word, _WORD_WEIGHT * share), *((gram, share) for gram in sorted(grams))]
    return tuple((zlib.crc32(piece.encode()) % DIMENSIONS, weight) for piece, weight in pieces)

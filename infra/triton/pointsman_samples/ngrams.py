"""A language model of word n-grams: trained on the sample texts, smoothed after Witten and Bell.

The probability of a word after a context mixes what followed that context in training with the
probability after the context that is one word shorter, down to all words alike.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman_samples import corpus

# Another seed than measure.py's: no text of the measure is ever trained on.
SEED = 20_260_801
DOCUMENTS = 200

UNKNOWN = "<unknown>"
START = "<start>"
END = "<end>"

_WORD = re.compile(r"\w+(?:['-]\w+)*|[^\w\s]")
_CLOSING = frozenset(".,;:!?)]}'\"")

_Followers = tuple[NDArray[np.intp], NDArray[np.float64], float]


@dataclass(frozen=True)
class Sampling:
    """How a text is continued; a temperature of 0 takes the most probable word every time."""

    max_tokens: int = 64
    temperature: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """How a text looks to a model: its tokens with the end, and the sum of log2 probabilities."""

    tokens: int
    log2_probability: float
    vocabulary: int


class NgramModel:
    """Continues texts with the words that followed the last ``order - 1`` words in training."""

    def __init__(self, order: int, texts: Sequence[str]) -> None:
        self._order = order
        sentences = [words_of(text) for text in texts]
        vocabulary = sorted({word for words in sentences for word in words})
        self._words = (UNKNOWN, START, END, *vocabulary)
        self._ids = {word: number for number, word in enumerate(self._words)}
        counts: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for words in sentences:
            ids = self._padded(words)
            for i in range(order - 1, len(ids)):
                for before in range(order):
                    counts[tuple(ids[i - before : i])][ids[i]] += 1
        self._followers: Mapping[tuple[int, ...], _Followers] = {
            context: _followers(found) for context, found in counts.items()
        }
        # All words alike, except that no text holds its own start.
        self._uniform = np.full(len(self._words), 1.0 / (len(self._words) - 1))
        self._uniform[self._ids[START]] = 0.0

    def continuation(self, text: str, sampling: Sampling) -> Iterator[str]:
        """Give the pieces that continue ``text``; the same for the same text and sampling."""
        rng = random.Random(sampling.seed)
        before = self._padded(words_of(text))[:-1]
        last = self._words[before[-1]] if before[-1] else "word"
        # A word that is not known cannot be written, and a continuation has at least one word.
        impossible = [self._ids[UNKNOWN], self._ids[END]]
        for _ in range(sampling.max_tokens):
            weights = self._probabilities(tuple(before[len(before) - self._order + 1 :])).copy()
            weights[impossible] = 0.0
            del impossible[1:]
            chosen = _choice(weights, sampling.temperature, rng)
            word = self._words[chosen]
            if word == END:
                return
            yield word if word in _CLOSING or last == START else f" {word}"
            before.append(chosen)
            last = word

    def score(self, text: str) -> Score:
        """How probable the text is, word by word and that it ends there."""
        ids = self._padded(words_of(text))
        first = self._order - 1
        logs = [
            float(np.log2(self._probabilities(tuple(ids[i - first : i]))[ids[i]]))
            for i in range(first, len(ids))
        ]
        return Score(len(logs), sum(logs), len(self._words) - 1)

    def _padded(self, words: Sequence[str]) -> list[int]:
        # At least one start, so that a model of single words has something to begin after.
        starts = [self._ids[START]] * max(1, self._order - 1)
        known = [self._ids.get(word, self._ids[UNKNOWN]) for word in words]
        return [*starts, *known, self._ids[END]]

    def _probabilities(self, context: tuple[int, ...]) -> NDArray[np.float64]:
        mixed = self._uniform
        for length in range(len(context) + 1):
            found = self._followers.get(context[len(context) - length :])
            if found is None:
                # What never occurred has no longer forms either.
                break
            words, counts, total = found
            mixed = mixed * (len(words) / (total + len(words)))
            mixed[words] += counts / (total + len(words))
        return mixed


def trained(order: int) -> NgramModel:
    """Train on the sample texts; takes a tenth of a second, and is the same every time."""
    return NgramModel(order, [document.text for document in corpus.documents(SEED, DOCUMENTS)])


def words_of(text: str) -> list[str]:
    """Cut a text into words and punctuation marks as they are written."""
    return _WORD.findall(text)


def _followers(counts: Counter[int]) -> _Followers:
    words = sorted(counts)
    return (
        np.array(words, dtype=np.intp),
        np.array([counts[word] for word in words], dtype=np.float64),
        float(counts.total()),
    )


def _choice(weights: NDArray[np.float64], temperature: float, rng: random.Random) -> int:
    if temperature == 0:
        return int(np.argmax(weights))
    reached = np.cumsum(np.power(weights / weights.max(), 1.0 / temperature))
    drawn = rng.random() * float(reached[-1])
    found = int(np.searchsorted(reached, drawn, side="right"))
    return min(found, len(weights) - 1)

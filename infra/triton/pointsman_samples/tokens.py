"""How the sample models cut a text: sentences, words, and the n-grams of a word."""

import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_SENTENCES = 1000

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9`])|\n\s*\n")
_WORD = re.compile(r"[^\W\d_]{2,}")

# Words that say nothing about the subject of an English sentence.
STOP_WORDS = frozenset(
    """
    about above after again all also although always an and any are as at be because been before
    being below between both but by can cannot could did do does doing done down during each
    either else even ever every few for from further had has have having he her here hers him
    his how however if in into is it its itself just less like made make many may me might more
    most much must my neither never no nor not now of off often on once one only or other our
    out over own per quite rather same several shall she should since so some still such than
    that the their them then there these they this those though through thus to too two under
    until up upon us use used uses using very was we were what when where whether which while
    who whose why will with within without would yet you your
    """.split()  # noqa: SIM905 - easier to read and to extend than a list of strings
)


def sentences_of(text: str) -> list[str]:
    """Cut ``text`` into at most ``MAX_SENTENCES`` sentences with single spaces inside."""
    pieces = (" ".join(piece.split()) for piece in _SENTENCE_END.split(text.strip()))
    return [piece for piece in pieces if piece][:MAX_SENTENCES]


def words_of(text: str) -> list[str]:
    """List the words of two letters or more in lower case."""
    return _WORD.findall(text.lower())


def content_words_of(text: str) -> list[str]:
    """List the words that are not stop words."""
    return [word for word in words_of(text) if word not in STOP_WORDS]


@lru_cache(maxsize=50_000)
def hashes_of(word: str) -> NDArray[np.uint32]:
    """Hash the word itself (first) and its character n-grams of 3 to 5, with marked ends.

    CRC-32 because it is the same in every process and version, unlike ``hash``.
    """
    marked = f"<{word}>"
    grams = (marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1))
    return np.fromiter((zlib.crc32(piece.encode()) for piece in (word, *grams)), dtype=np.uint32)

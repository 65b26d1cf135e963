"""Embeddings from hashed words and character n-grams; nothing is learned."""

import numpy as np
from numpy.typing import NDArray

from pointsman_samples.tokens import content_words_of, hashes_of

DIMENSIONS = 256

# A whole word is better evidence than one of its n-grams.
_WORD_WEIGHT = 2.0


def embed(text: str, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """Give the L2-normalised vector of ``text``; zero when it has no content words.

    Inflected forms of a word share most of its n-grams, so that "schedule" and "scheduling" are
    near. Every n-gram adds or subtracts, by a bit of its hash: collisions cancel on average.
    """
    vector = np.zeros(dimensions, dtype=np.float64)
    for word in content_words_of(text):
        hashes = hashes_of(word)
        weights = np.where(hashes & 1, 1.0, -1.0) / np.sqrt(len(hashes))
        weights[0] *= _WORD_WEIGHT
        np.add.at(vector, (hashes >> 1) % dimensions, weights)
    length = float(np.linalg.norm(vector))
    return (vector / length if length else vector).astype(np.float32)

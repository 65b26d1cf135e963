"""Three summarisers that pick sentences, from the cheapest to the most careful."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from pointsman_samples.embedding import embed
from pointsman_samples.tokens import content_words_of, sentences_of

SUMMARY_SENTENCES = 3

# Sentences are short, so collisions of n-grams hurt more than with whole texts.
_SENTENCE_DIMENSIONS = 1024
_DAMPING = 0.85
_MAX_ROUNDS = 100
_CONVERGED = 1e-7


def summarize_lead(text: str) -> str:
    """Take the first sentences."""
    return " ".join(sentences_of(text)[:SUMMARY_SENTENCES])


def summarize_tfidf(text: str) -> str:
    """Take the sentences that TextRank ranks highest by TF-IDF cosine similarity."""
    sentences = sentences_of(text)
    return _most_central(sentences, _tfidf(sentences))


def summarize_hashed(text: str) -> str:
    """Take the sentences that TextRank ranks highest by similarity of hashed embeddings."""
    sentences = sentences_of(text)
    vectors = [embed(sentence, _SENTENCE_DIMENSIONS) for sentence in sentences]
    return _most_central(sentences, np.array(vectors, dtype=np.float64))


def _most_central(sentences: list[str], vectors: NDArray[np.float64]) -> str:
    if len(sentences) <= SUMMARY_SENTENCES:
        return " ".join(sentences)
    ranks = textrank(vectors)
    # Earlier sentences win ties; the summary keeps the order of the text.
    best = sorted(range(len(sentences)), key=lambda i: (-ranks[i], i))[:SUMMARY_SENTENCES]
    return " ".join(sentences[i] for i in sorted(best))


def textrank(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank unit vectors (n, d) by PageRank on their positive cosine similarities.

    After Mihalcea and Tarau, "TextRank: Bringing Order into Text" (2004), with cosine for overlap.
    """
    count = len(vectors)
    weights = np.clip(vectors @ vectors.T, 0.0, None)
    np.fill_diagonal(weights, 0.0)
    totals = weights.sum(axis=1, keepdims=True)
    # A sentence that resembles no other spreads its rank evenly.
    transition = np.divide(weights, totals, out=np.full_like(weights, 1 / count), where=totals > 0)
    ranks = np.full(count, 1 / count)
    for _ in range(_MAX_ROUNDS):
        updated = (1 - _DAMPING) / count + _DAMPING * (ranks @ transition)
        if float(np.abs(updated - ranks).sum()) < _CONVERGED:
            return updated
        ranks = updated
    return ranks


def _tfidf(sentences: list[str]) -> NDArray[np.float64]:
    counts = [Counter(content_words_of(sentence)) for sentence in sentences]
    occurrences = Counter(word for count in counts for word in count)
    columns = {word: column for column, word in enumerate(occurrences)}
    matrix = np.zeros((len(sentences), max(1, len(columns))))
    for row, count in enumerate(counts):
        for word, times in count.items():
            matrix[row, columns[word]] = times * np.log(len(sentences) / occurrences[word])
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, lengths, out=matrix, where=lengths > 0)

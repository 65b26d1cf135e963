"""Two classifiers of a text's subject: a trained linear model and a word list."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pointsman_samples.embedding import embed
from pointsman_samples.tokens import words_of
from pointsman_samples.vocabulary import SUBJECTS

LABELS: Final = tuple(sorted(SUBJECTS))
FEATURES: Final = 1024

# What a person would write down for each subject in five minutes.
LEXICON: Final = {
    "concurrency": "thread threads lock locks deadlock parallel task tasks worker async semaphore",
    "databases": "database databases table tables row rows sql query queries transaction schema",
    "files": "file files directory folder path disk copy archive zip backup delete rename",
    "mathematics": "number numbers math matrix vector equation fraction probability integral sum",
    "networking": "network socket server client http request packet port connection protocol",
    "security": "password encryption encrypt certificate secret hash attack login secure",
    "text": "text string strings character characters word words line lines pattern encoding",
    "time": "time clock date dates hour hours month calendar timezone timer delay duration",
}


@dataclass(frozen=True)
class Verdict:
    """The label of a text and how the labels share its weight (sum 1)."""

    label: str
    scores: dict[str, float]

    def as_json(self) -> bytes:
        rounded = {label: round(score, 4) for label, score in self.scores.items()}
        return json.dumps({"label": self.label, "scores": rounded}).encode()


class LinearClassifier:
    """Softmax over one linear layer on the hashed embedding of a text."""

    def __init__(self, weights: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        self.weights = weights  # (FEATURES, labels)
        self.bias = bias  # (labels,)

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path) as arrays:
            return cls(arrays["weights"].astype(np.float64), arrays["bias"].astype(np.float64))

    def save(self, path: Path) -> None:
        """Write 16-bit weights; rounding also hides the last bits, in which BLAS builds differ."""
        np.savez_compressed(
            path, weights=self.weights.astype(np.float16), bias=self.bias.astype(np.float16)
        )

    def classify(self, text: str) -> Verdict:
        features = embed(text, FEATURES).astype(np.float64)
        return _verdict(softmax(features @ self.weights + self.bias))


def classify_by_lexicon(text: str) -> Verdict:
    """Count the listed words; without any, all labels are equal and the first one is given."""
    words = words_of(text)
    hits = np.array(
        [sum(word in _LISTED[label] for word in words) for label in LABELS], dtype=float
    )
    return _verdict((hits + 1 / len(LABELS)) / (hits.sum() + 1))


def train(
    texts: list[str], labels: list[str], *, rounds: int, rate: float, decay: float
) -> LinearClassifier:
    """Fit by gradient descent on all texts at once, from zero: no randomness.

    ``rate`` is the step size, ``decay`` the L2 penalty on the weights.
    """
    features = np.array([embed(text, FEATURES) for text in texts], dtype=np.float64)
    targets = np.eye(len(LABELS))[[LABELS.index(label) for label in labels]]
    weights = np.zeros((FEATURES, len(LABELS)))
    bias = np.zeros(len(LABELS))
    for _ in range(rounds):
        error = (softmax(features @ weights + bias) - targets) / len(texts)
        weights -= rate * (features.T @ error + decay * weights)
        bias -= rate * error.sum(axis=0)
    return LinearClassifier(weights, bias)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalise the last axis to a distribution."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _verdict(shares: NDArray[np.float64]) -> Verdict:
    scores = dict(zip(LABELS, shares.tolist(), strict=True))
    return Verdict(LABELS[int(shares.argmax())], scores)


_LISTED = {label: frozenset(words.split()) for label, words in LEXICON.items()}

"""The quality of each family on generated texts: what the registry's figures are made of."""

import json
import math
from collections.abc import Awaitable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pointsman_samples import corpus
from pointsman_samples.scores import rouge_1, rouge_l


class Ask(Protocol):
    """One call to a model, with request parameters; gives the whole answer."""

    def __call__(self, payload: bytes, /, **parameters: int) -> Awaitable[bytes]: ...


# Another seed than train_classifier.py's: no text of the measure was ever trained on.
SEED: Final = 20_260_702
DOCUMENTS: Final = 200
LABELLED: Final = 1_000
PAIRS: Final = 400
HELD_OUT: Final = 60
MIXED: Final = 3
"""Texts whose lines are clustered."""
MIXED_LINES: Final = 200
TEXTS_PER_LINE: Final = 6


async def summary_quality(ask: Ask) -> float:
    """Mean of ROUGE-1 and ROUGE-L (F1) against the sentences each text was built around."""
    scores: list[float] = []
    for document in corpus.documents(SEED, DOCUMENTS):
        summary = (await ask(document.text.encode())).decode()
        scores.append(
            (rouge_1(summary, document.reference) + rouge_l(summary, document.reference)) / 2
        )
    return float(np.mean(scores))


async def label_quality(ask: Ask) -> float:
    """Share of texts that get the subject they were written about."""
    texts = corpus.labelled_texts(SEED, LABELLED)
    answers = [json_label(await ask(one.text.encode())) for one in texts]
    return float(np.mean([got == one.label for got, one in zip(answers, texts, strict=True)]))


async def cluster_quality(ask: Ask) -> float:
    """Share of lines whose cluster is mostly about their own subject."""
    right = lines = 0
    for text, labels in mixed_lines(MIXED):
        answer = await ask(text.encode(), clusters=len(corpus.LABELS))
        clusters: dict[int, list[str]] = {}
        for cluster, label in zip(json.loads(answer)["labels"], labels, strict=True):
            clusters.setdefault(cluster, []).append(label)
        right += sum(max(map(of.count, of)) for of in clusters.values())
        lines += len(labels)
    return right / lines


def mixed_lines(count: int) -> list[tuple[str, list[str]]]:
    """Texts whose lines are about one subject each, and the subjects.

    A line is made of several short texts: one alone says too little about its subject.
    """
    wanted = count * MIXED_LINES
    by_label: dict[str, list[str]] = {}
    lines: list[tuple[str, str]] = []
    for one in corpus.labelled_texts(SEED, 2 * wanted * TEXTS_PER_LINE):
        texts = by_label.setdefault(one.label, [])
        texts.append(one.text)
        if len(texts) == TEXTS_PER_LINE and len(lines) < wanted:
            lines.append((" ".join(by_label.pop(one.label)), one.label))
    return [
        (
            "\n".join(line for line, _ in lines[first : first + MIXED_LINES]),
            [label for _, label in lines[first : first + MIXED_LINES]],
        )
        for first in range(0, wanted, MIXED_LINES)
    ]


async def embedding_quality(ask: Ask) -> float:
    """Share of rephrased sentences whose nearest original, among all, is their own."""
    pairs = corpus.pairs(SEED, PAIRS)
    originals = np.array([vector(await ask(pair.sentence.encode())) for pair in pairs])
    rephrased = np.array([vector(await ask(pair.rephrased.encode())) for pair in pairs])
    nearest = np.argmax(rephrased @ originals.T, axis=1)
    right = sum(int(found) == own for own, found in enumerate(nearest))
    return right / len(pairs)


async def text_quality(ask: Ask) -> float:
    """Share of the doubt about the next word that the model takes away, on texts it never saw.

    With the perplexity P and a vocabulary of V words: ``1 - log(P) / log(V)``; 0 is guessing.
    """
    bits, tokens, vocabulary = 0.0, 0, 1
    for document in corpus.documents(SEED, HELD_OUT):
        score = json.loads(await ask(document.text.encode(), score=1))
        bits -= float(score["log2_probability"])
        tokens += int(score["tokens"])
        vocabulary = int(score["vocabulary"])
    return 1 - bits / tokens / math.log2(vocabulary)


async def identity_quality(ask: Ask) -> float:
    """Share of payloads that come back byte for byte."""
    payloads = [bytes(range(256)) * size for size in (0, 1, 4, 64)]
    return float(np.mean([await ask(payload) == payload for payload in payloads]))


def json_label(answer: bytes) -> str:
    return str(json.loads(answer)["label"])


def vector(answer: bytes) -> NDArray[np.float32]:
    return np.frombuffer(answer, dtype="<f4")

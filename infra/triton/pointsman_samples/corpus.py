"""Texts with known answers, generated from a seed: the measure of the sample models' quality.

They are made, not found: sentences from patterns, concepts in changing forms, digressions and slips
of the pen. What is measured on them ranks the variants of a family, and says no more than that.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pointsman_samples.vocabulary import MODIFIERS, SMALL_TALK, SUBJECTS, VERBS

LABELS = tuple(sorted(SUBJECTS))

_CENTRAL = (
    "The {m} {a} {v} the {b} before the {c} {w} it.",
    "In short, the {a} {v} the {m} {b} through the {c}.",
    "Without this {a}, the {b} would have {v} the {m} {c}.",
    "What the {a} {v} was the {m} {b}, and with it the {c}.",
    "It follows that the {m} {a} and the {b} {v} the {c}.",
)
_SUPPORTING = (
    "In our trial this {m} {a} appeared twice before anybody looked.",
    "One example is the {a} of last year, which {v} half of the {x}.",
    "People often ask how the {m} {a} {v} them.",
    "A sketch of the {a} is on page nine, next to the {x}.",
    "It took two days until the {a} made sense to the newcomers.",
    "Some call the {a} a {m} invention, others disagree.",
    "With the {x} gone, more {a} was all that remained.",
    "Few remember how {m} the {a} was ten years ago.",
    "That is why the {a} comes with a warning in red letters.",
    "The costs of the {a} {v} even the {m} {x}.",
    "Every beginner stumbles over the {a} sooner or later.",
    "An appendix lists each {m} {a} by country.",
)
_ASIDE = (
    "By the way, the {a} of our neighbours {v} the {m} {b}.",
    "Somebody mentioned the {m} {a} and the {b}, but that is another story.",
    "There is also a film about the {a}, with the {m} {b} in it.",
    "My uncle collects pictures of the {b} and the {a}.",
    "In the village, the {m} {a} is better known for its {b}.",
)
_ABOUT = (
    "The {m} {a} {v} the {b}.",
    "How can the {a} be {m} when the {b} {v} it?",
    "We saw that the {b} {v} the {m} {a} again.",
    "Please explain why my {a} {v} no {b}.",
    "After the change the {a} and the {b} were {m}.",
)
# Pairs that say the same in other words, for the measure of embeddings.
_REPHRASED = (
    ("The {m} {a} {v} the {b} of every {c}.", "For each {c}, its {b} was {v} by the {m} {a}."),
    ("This {a} without the {b} is one {m} {c}.", "The {c} is {m} whenever {a} and {b} part."),
    ("Nobody knows why the {a} {v} the {b} near the {c}.", "It is a riddle: {c}, {a}, {v} {b}."),
)

_NEWS = 0.4  # share of documents that begin with a central sentence
_CHAT = 0.5  # share of labelled texts with a sentence of small talk
_STRAY = 0.4  # share of second concepts that come from any subject, so that single words mislead
_SLIP = 0.06  # share of words with two letters swapped
_SHORT_WORD = 4  # letters; shorter words stay readable only unchanged


@dataclass(frozen=True)
class Document:
    """A text and the summary that it was built around."""

    text: str
    reference: str


@dataclass(frozen=True)
class Labelled:
    """A text and the subject that it is about."""

    text: str
    label: str


@dataclass(frozen=True)
class Pair:
    """Two sentences that say the same."""

    sentence: str
    rephrased: str


def documents(seed: int, count: int) -> list[Document]:
    """Make texts of 15 to 22 sentences around three central ones, which are the reference.

    Central sentences join the text's concepts, supporting ones take up one of them in another form,
    the rest digresses. In two of five texts a central sentence comes first, as in news.
    """
    rng = random.Random(seed)
    return [_document(rng) for _ in range(count)]


def labelled_texts(seed: int, count: int) -> list[Labelled]:
    """Make short texts about one subject each, with strays, small talk and slips of the pen."""
    rng = random.Random(seed)
    return [_labelled(rng, LABELS[i % len(LABELS)]) for i in range(count)]


def pairs(seed: int, count: int) -> list[Pair]:
    """Make pairs of sentences with the same concepts in other forms and another order."""
    rng = random.Random(seed)
    return [_pair(rng) for _ in range(count)]


def _document(rng: random.Random) -> Document:
    subject = rng.choice(LABELS)
    concepts = rng.sample(SUBJECTS[subject], 4)
    central = [_fill(rng, pattern, rng.sample(concepts, 3)) for pattern in rng.sample(_CENTRAL, 3)]
    supporting = [
        _fill(rng, pattern, [rng.choice(concepts)], other=rng.choice(SUBJECTS[subject]))
        for pattern in rng.sample(_SUPPORTING, rng.randint(6, 9))
    ]
    elsewhere = SUBJECTS[rng.choice([label for label in LABELS if label != subject])]
    asides = rng.sample(_ASIDE, rng.randint(2, 4))
    rest = [_fill(rng, pattern, rng.sample(elsewhere, 2)) for pattern in asides]
    rest += rng.sample(SMALL_TALK, rng.randint(4, 6))
    sentences = central + supporting + rest
    rng.shuffle(sentences)
    if rng.random() < _NEWS:
        sentences.remove(central[0])
        sentences.insert(0, central[0])
    return Document(" ".join(sentences), " ".join(s for s in sentences if s in central))


def _labelled(rng: random.Random, label: str) -> Labelled:
    sentences = list(_sentences_about(rng, label, rng.randint(1, 3)))
    if rng.random() < _CHAT:
        sentences.append(rng.choice(SMALL_TALK))
    rng.shuffle(sentences)
    return Labelled(_with_slips(rng, " ".join(sentences)), label)


def _sentences_about(rng: random.Random, label: str, count: int) -> Iterator[str]:
    for _ in range(count):
        stray = rng.random() < _STRAY
        second = rng.choice(SUBJECTS[rng.choice(LABELS) if stray else label])
        yield _fill(rng, rng.choice(_ABOUT), [rng.choice(SUBJECTS[label]), second])


def _pair(rng: random.Random) -> Pair:
    concepts = rng.sample(SUBJECTS[rng.choice(LABELS)], 3)
    first, second = rng.choice(_REPHRASED)
    modifier, verb = rng.choice(MODIFIERS), rng.choice(VERBS)
    return Pair(
        _fill(rng, first, concepts, m=modifier, v=verb),
        _with_slips(rng, _fill(rng, second, concepts, m=modifier, v=verb)),
    )


def _fill(
    rng: random.Random,
    pattern: str,
    concepts: list[tuple[str, ...]],
    *,
    other: tuple[str, ...] = ("thing",),
    m: str | None = None,
    v: str | None = None,
) -> str:
    a, b, c = (*concepts, *concepts, *concepts)[:3]
    return pattern.format(
        a=rng.choice(a),
        b=rng.choice(b),
        c=rng.choice(c),
        x=rng.choice(other),
        m=m or rng.choice(MODIFIERS),
        v=v or rng.choice(VERBS),
        w=rng.choice(VERBS),
    )


def _with_slips(rng: random.Random, text: str) -> str:
    return " ".join(_slipped(rng, word) if rng.random() < _SLIP else word for word in text.split())


def _slipped(rng: random.Random, word: str) -> str:
    """Swap two neighbouring letters."""
    if len(word) < _SHORT_WORD:
        return word
    i = rng.randrange(1, len(word) - 2)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]

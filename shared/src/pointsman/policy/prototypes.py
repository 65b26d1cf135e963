"""Similarity of a text to domains, by prototypes: sentences that a domain's tasks begin like."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nlargest
from typing import Final

from pointsman.policy.hashed_text import TextWeights

NEAREST: Final = 5
"""Prototypes of a domain that count, the most similar ones: a domain has many faces, of which a
task shows one or two. Chosen on the training half of the labelled routing set."""


class Prototypes:
    """Compares texts; made once from the routing file."""

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        """`texts` by domain; every domain has at least one."""
        flat = [(domain, text) for domain, known in texts.items() for text in known]
        self._weights = TextWeights(text for _, text in flat)
        self._domains = tuple(texts)
        self._of: list[str] = [domain for domain, _ in flat]
        # By dimension, so that a comparison looks at what the two have in common only.
        self._places: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for place, (_, text) in enumerate(flat):
            for dimension, weight in self._weights.embed(text).items():
                self._places[dimension].append((place, weight))

    def similarities(self, text: str) -> dict[str, float]:
        """By domain: the mean similarity of its nearest prototypes, 0 to 1."""
        found = [0.0] * len(self._of)
        for dimension, weight in self._weights.embed(text).items():
            for place, other in self._places.get(dimension, ()):
                found[place] += weight * other
        by_domain: dict[str, list[float]] = {domain: [] for domain in self._domains}
        for domain, similarity in zip(self._of, found, strict=True):
            by_domain[domain].append(similarity)
        return {
            domain: round(min(1.0, sum(nlargest(NEAREST, known)) / min(NEAREST, len(known))), 4)
            for domain, known in by_domain.items()
        }

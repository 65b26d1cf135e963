"""How far an answer agrees with the known one; all scores are between 0 and 1."""

from collections import Counter

from pointsman_samples.tokens import words_of


def rouge_1(candidate: str, reference: str) -> float:
    """F1 of shared words. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004)."""
    ours, theirs = Counter(words_of(candidate)), Counter(words_of(reference))
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def rouge_l(candidate: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (same source, one sequence per text)."""
    ours, theirs = words_of(candidate), words_of(reference)
    row = [0] * (len(theirs) + 1)
    for word in ours:
        diagonal = 0
        for j, other in enumerate(theirs, start=1):
            above = row[j]
            row[j] = diagonal + 1 if word == other else max(above, row[j - 1])
            diagonal = above
    return _f1(row[-1], len(ours), len(theirs))


def _f1(shared: int, ours: int, theirs: int) -> float:
    return 2 * shared / (ours + theirs) if shared else 0.0

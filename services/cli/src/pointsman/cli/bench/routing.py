"""`bench routing`: the labelled routing set, judged by the router and by what it is compared with.

Everything is as it is for a pool that has run nothing yet: no habits, no learned sizes. What the
routing file holds was chosen on the training split; the test split was left alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from pointsman.contracts.events import FamilyRule, RoutingChanged
from pointsman.contracts.routing_file import LabelledTask, RoutingFile
from pointsman.policy.complexity import (
    DEFAULT_SCALE,
    Band,
    Scale,
    band_of,
    score_of,
    tokens_of,
    work_of,
)
from pointsman.policy.hashed_text import read_text
from pointsman.policy.prototypes import Prototypes
from pointsman.policy.routing import score_domains
from pointsman.policy.tiers import suiting_tier

SPLITS: Final = ("train", "test")
LABELS: Final = ("domain", "family", "band", "device")

_WORD: Final = re.compile(r"[^\W\d_]+")

# What a person would write down in five minutes.
_FEW: Final = frozenset(
    ["short", "brief", "briefly", "line", "sentence", "sentences", "word", "quick", "title", "one"]
)
_MANY: Final = frozenset(
    ["all", "each", "every", "whole", "entire", "complete", "long", "detailed", "full", "chapter"]
)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a task was held to be; `family` and `domain` are empty where it resembles nothing."""

    domain: str
    family: str
    band: str
    device: str


class Router:
    """Judges tasks as the scheduler does, by the same policy."""

    def __init__(self, file: RoutingFile) -> None:
        self._rules = file.event(pool="", version="", at=0.0, applied_to=0)
        self._prototypes = Prototypes(file.prototypes)
        self._families = {rule.family: rule for rule in self._rules.families}

    def guess(self, task: LabelledTask) -> Guess:
        seen = self._prototypes.similarities(read_text(task.text.encode()))
        families = {rule.domain: rule.family for rule in self._rules.domains}
        scores = score_domains(seen, families, {})
        domain, family = (scores[0].domain, scores[0].family) if scores else ("", "")
        rule = self._families.get(family)
        band = band_of(_score(task, rule))
        return Guess(domain, family, band, _device(self._rules, rule, domain, task, band))


class Keywords:
    """The plain alternative: counts words of a list; without any, the most frequent answer."""

    def __init__(self, file: RoutingFile, train: Sequence[LabelledTask]) -> None:
        self._words = {domain.name: frozenset(domain.keywords) for domain in file.domain}
        self._families = {domain.name: domain.family for domain in file.domain}
        self._usual_domain = _most_frequent(task.domain for task in train)
        self._usual_family = _most_frequent(task.family for task in train)
        self._devices = {
            (family, band): _most_frequent(t.device for t in train if (t.family, t.band) == key)
            for key in sorted({(t.family, t.band) for t in train})
            for family, band in (key,)
        }

    def guess(self, task: LabelledTask) -> Guess:
        words = _WORD.findall(task.text.lower())
        hits = {name: sum(w in known for w in words) for name, known in self._words.items()}
        best = max(hits.values())
        domain = next(name for name, count in hits.items() if count == best)
        family = self._families[domain]
        if not best:
            domain, family = self._usual_domain, self._usual_family
        few, many = (sum(word in known for word in words) for known in (_FEW, _MANY))
        band = Band.MEDIUM if few == many else Band.SIMPLE if few > many else Band.COMPLEX
        return Guess(domain, family, band, self._devices.get((family, band), ""))


def bench_routing(file: RoutingFile, tasks: Sequence[LabelledTask]) -> dict[str, Any]:
    """Accuracy by label and split, with that of the keywords and the router's confusions."""
    train = [task for task in tasks if task.split == "train"]
    router, keywords = Router(file), Keywords(file, train)
    report: dict[str, Any] = {
        "tasks": {split: sum(task.split == split for task in tasks) for split in SPLITS},
        "held_out": "test",
        "labels": [],
        "confusion": {},
    }
    for split in SPLITS:
        chosen = [task for task in tasks if task.split == split]
        ours = [(task, router.guess(task)) for task in chosen]
        theirs = [(task, keywords.guess(task)) for task in chosen]
        for label in LABELS:
            row = {
                "label": label,
                "split": split,
                "tasks": len(chosen),
                "accuracy": accuracy(ours, label),
                "keywords": accuracy(theirs, label),
            }
            report["labels"].append(row)
            if split == report["held_out"]:
                report["confusion"][label] = confusion(ours, label)
    return report


def accuracy(guesses: Sequence[tuple[LabelledTask, Guess]], label: str) -> float:
    """Share of tasks whose label was guessed."""
    return round(fmean(getattr(task, label) == getattr(guess, label) for task, guess in guesses), 4)


def confusion(
    guesses: Sequence[tuple[LabelledTask, Guess]], label: str
) -> dict[str, dict[str, int]]:
    """Label -> what it was held to be -> how often."""
    counted: dict[str, Counter[str]] = {}
    for task, guess in guesses:
        counted.setdefault(getattr(task, label), Counter())[getattr(guess, label) or "none"] += 1
    return {name: dict(counted[name].most_common()) for name in sorted(counted)}


def _score(task: LabelledTask, rule: FamilyRule | None) -> float:
    scale, output = DEFAULT_SCALE, 0
    if rule is not None:
        scale, output = Scale(rule.simple_below, rule.complex_from, ""), rule.output_tokens
    tokens = tokens_of(len(task.text.encode()) + task.attached_bytes)
    return score_of(work_of(tokens, task.max_tokens or output), scale)


def _device(
    rules: RoutingChanged, rule: FamilyRule | None, domain: str, task: LabelledTask, band: Band
) -> str:
    if rule is None:
        return ""
    wanted = [rule.tiers[list(Band).index(band)]]
    wanted += [d.least_tier for d in rules.domains if d.domain == domain and d.least_tier]
    tier = suiting_tier(
        rules.tiers,
        rules.devices,
        wanted,
        memory_mib=0.0,
        output_tokens=task.max_tokens,
        time_left_s=None,
    )
    return "" if tier is None else tier.device


def _most_frequent(names: Iterable[str]) -> str:
    return Counter(names).most_common(1)[0][0]

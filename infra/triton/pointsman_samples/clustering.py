"""Clusters of a text's lines: k-means over hashed embeddings, one round at a time.

Every round ends with a checkpoint that holds the numbers bit for bit, so that going on from it
gives the same result as never having stopped.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman_samples.embedding import embed
from pointsman_samples.parameters import whole
from pointsman_samples.serving import BadInputError, Step

MAX_LINES = 5_000
MAX_CLUSTERS = 256
MAX_STARTS = 1_000
ROUNDS = 100
"""Of one start at the most; most settle after a few."""

Points: TypeAlias = NDArray[np.float64]

_DIGITS = 6


@dataclass(frozen=True)
class Wish:
    """What a request asks for."""

    clusters: int = 8
    starts: int = 4
    """Different first centres; the best outcome counts."""


@dataclass
class Standing:
    """Where the work stands after a round."""

    of: str
    """The input and the wish that it belongs to."""
    start: int
    round: int
    rounds: int
    """Of all starts so far."""
    centres: Points
    best: Points
    best_inertia: float


def steps_of(
    text: str, parameters: Mapping[str, object], checkpoint: bytes | None
) -> Iterator[Step]:
    """Cluster the lines of ``text``; ``clusters`` and ``starts`` are read from the parameters.

    A checkpoint of another input, or one that cannot be read, is passed over.

    Raises:
        BadInputError: a parameter is out of its range, or there are too many lines.
    """
    wish = wish_of(parameters)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_LINES:
        raise BadInputError(f"INPUT has {len(lines)} lines, at most {MAX_LINES} are clustered")
    of = hashlib.sha256(json.dumps([lines, asdict(wish)]).encode()).hexdigest()
    points = np.array([embed(line) for line in lines], dtype=np.float64)
    count = min(wish.clusters, len(lines))
    begun = read_standing(checkpoint, of=of, shape=(count, points.shape[1]))
    standing = begun or Standing(
        of, 0, 0, 0, first_centres(points, count, 0), np.empty((0, points.shape[1])), np.inf
    )
    yield from _rounds(points, standing, wish.starts)
    labels, inertia = nearest(points, standing.best)
    answer = {
        "clusters": count,
        "starts": wish.starts,
        "rounds": standing.rounds,
        "inertia": round(inertia, _DIGITS),
        "labels": [int(label) for label in labels],
    }
    yield Step(answer=json.dumps(answer).encode())


def wish_of(parameters: Mapping[str, object]) -> Wish:
    """Read ``clusters`` and ``starts``; raises ``BadInputError``."""
    return Wish(
        whole(parameters, "clusters", Wish.clusters, least=1, most=MAX_CLUSTERS),
        whole(parameters, "starts", Wish.starts, least=1, most=MAX_STARTS),
    )


def first_centres(points: Points, count: int, start: int) -> Points:
    """One point, and then again and again the one that is farthest from all chosen ones."""
    chosen = [start * 7919 % len(points)]
    distances = np.full(len(points), np.inf)
    while len(chosen) < count:
        distances = np.minimum(distances, _distances(points, points[chosen[-1:]])[:, 0])
        chosen.append(int(np.argmax(distances)))
    return points[chosen].copy()


def nearest(points: Points, centres: Points) -> tuple[NDArray[np.intp], float]:
    """The nearest centre of each point, and the sum of the squared distances to them."""
    distances = _distances(points, centres)
    labels = np.argmin(distances, axis=1)
    return labels, float(distances[np.arange(len(points)), labels].sum())


def written(standing: Standing) -> bytes:
    """A standing as bytes: a line of JSON, then the numbers as they are in memory."""
    head = {
        "of": standing.of,
        "start": standing.start,
        "round": standing.round,
        "rounds": standing.rounds,
        "best": len(standing.best),
        "inertia": standing.best_inertia,
    }
    return b"\n".join(
        (json.dumps(head).encode(), standing.centres.tobytes() + standing.best.tobytes())
    )


def read_standing(checkpoint: bytes | None, *, of: str, shape: tuple[int, int]) -> Standing | None:
    """The standing in a checkpoint, none if it is not one of this input."""
    if checkpoint is None:
        return None
    head_line, _, numbers = checkpoint.partition(b"\n")
    try:
        head = json.loads(head_line)
        if head["of"] != of:
            return None
        rows = np.frombuffer(numbers, dtype=np.float64).reshape(-1, shape[1]).copy()
        centres, best = rows[: shape[0]], rows[shape[0] :]
        if len(centres) != shape[0] or len(best) != head["best"]:
            return None
        return Standing(
            of,
            int(head["start"]),
            int(head["round"]),
            int(head["rounds"]),
            centres,
            best,
            float(head["inertia"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _rounds(points: Points, standing: Standing, starts: int) -> Iterator[Step]:
    while standing.start < starts:
        labels, inertia = nearest(points, standing.centres)
        moved = _means(points, labels, standing.centres)
        standing.round += 1
        standing.rounds += 1
        settled = bool(np.array_equal(moved, standing.centres)) or standing.round >= ROUNDS
        standing.centres = moved
        if settled:
            if inertia < standing.best_inertia:
                standing.best, standing.best_inertia = moved, inertia
            standing.start, standing.round = standing.start + 1, 0
            standing.centres = first_centres(points, len(moved), standing.start)
        yield Step(
            progress=standing.start / starts,
            note=f"round {standing.rounds}, start {min(standing.start + 1, starts)} of {starts}",
            checkpoint=written(standing),
        )


def _means(points: Points, labels: NDArray[np.intp], centres: Points) -> Points:
    """The mean of each cluster's points; an empty one keeps its centre."""
    means = centres.copy()
    for label in range(len(centres)):
        members = points[labels == label]
        if len(members):
            means[label] = members.mean(axis=0)
    return means


def _distances(points: Points, centres: Points) -> Points:
    squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None, :]
    return np.maximum(squares - 2.0 * points @ centres.T, 0.0)

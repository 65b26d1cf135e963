"""What a request to a generating model may ask for, and the pieces that answer it."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from pointsman_samples.ngrams import NgramModel, Sampling
from pointsman_samples.parameters import whole
from pointsman_samples.serving import BadInputError

MAX_TOKENS = 4096
MAX_TEMPERATURE = 10.0

Pieces = Callable[[str, Mapping[str, object]], Iterator[str]]


def pieces_of(model: NgramModel) -> Pieces:
    """Answer with the continuation of a text, or with its score when ``score`` is 1."""

    def pieces(text: str, parameters: Mapping[str, object]) -> Iterator[str]:
        sampling = sampling_of(parameters)
        if parameters.get("score") == 1:
            return iter([json.dumps(asdict(model.score(text)))])
        return model.continuation(text, sampling)

    return pieces


def sampling_of(parameters: Mapping[str, object]) -> Sampling:
    """Read ``max_tokens``, ``temperature`` and ``seed``.

    Raises:
        BadInputError: one of them is no number, or out of its range.
    """
    return Sampling(
        max_tokens=whole(parameters, "max_tokens", Sampling.max_tokens, least=1, most=MAX_TOKENS),
        temperature=_temperature(parameters.get("temperature", Sampling.temperature)),
        seed=whole(parameters, "seed", Sampling.seed, least=0, most=2**63 - 1),
    )


def _temperature(found: object) -> float:
    try:
        # A fraction arrives as a text.
        value = float(found) if isinstance(found, int | float | str) else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_TEMPERATURE:
        raise BadInputError(f"temperature must be from 0 to {MAX_TEMPERATURE:g}, not {found!r}")
    return value

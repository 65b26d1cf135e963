"""How much two texts have to do with each other, by their embeddings."""

from typing import Final

import numpy as np

_FLOAT32: Final = np.dtype("<f4")


def cosine(one: bytes, other: bytes) -> float | None:
    """Cosine of two vectors of little-endian 32-bit floats, clipped to 0..1.

    None: they cannot be compared (lengths differ, a vector is empty, zero or not finite).
    """
    if len(one) != len(other) or not one or len(one) % _FLOAT32.itemsize:
        return None
    a = np.frombuffer(one, _FLOAT32).astype(np.float64)
    b = np.frombuffer(other, _FLOAT32).astype(np.float64)
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    if not np.isfinite(norms) or norms == 0.0:
        return None
    return min(1.0, max(0.0, float(a @ b) / norms))

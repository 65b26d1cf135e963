"""When two tasks are identical, so that one may have the other's result."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec


def response_key(
    tenant: str,
    family: str,
    variants: Sequence[str],
    parameters: Mapping[str, str] | None,
    payload_digest: str,
) -> str:
    """SHA-256 in hexadecimal; equal only if all of this is equal."""
    parts = [tenant, family, list(variants), sorted((parameters or {}).items()), payload_digest]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

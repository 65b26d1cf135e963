"""Numbers in a request's parameters."""

from collections.abc import Mapping

from pointsman_samples.serving import BadInputError


def whole(
    parameters: Mapping[str, object], name: str, default: int, *, least: int, most: int
) -> int:
    """Read a whole number.

    Raises:
        BadInputError: it is none, or out of its range.
    """
    found = parameters.get(name, default)
    if not isinstance(found, int) or not least <= found <= most:
        raise BadInputError(f"{name} must be a whole number from {least} to {most}, not {found!r}")
    return found

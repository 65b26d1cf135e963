"""The trace that a request to Triton belongs to, as gRPC metadata."""

import re
from collections.abc import Sequence
from typing import Final

from pointsman.executor.ports import Call

_TRACE_FLAGS: Final = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})$")


def trace_metadata(calls: Sequence[Call]) -> tuple[tuple[str, str], ...] | None:
    """Of the first call that is sampled: Triton ignores the flag and traces whatever it is sent."""
    for call in calls:
        if call.traceparent is not None and _is_sampled(call.traceparent):
            return (("traceparent", call.traceparent),)
    return None


def _is_sampled(traceparent: str) -> bool:
    match = _TRACE_FLAGS.search(traceparent)
    return match is not None and bool(int(match[1], 16) & 1)

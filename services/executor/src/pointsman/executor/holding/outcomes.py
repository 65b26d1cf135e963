"""How an attempt ends whose call gave no output, and what is counted of an end."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog

from pointsman.contracts.endurance import HEARTBEAT_MISSED
from pointsman.contracts.leases import AttemptReport, Grant, RunFailed, RunTimedOut
from pointsman.executor.holding.shared_calls import SharedCallError
from pointsman.executor.ports import EngineDeadlineError, EngineError
from pointsman.runtime.blobs import (
    BlobCorruptError,
    BlobExpiredError,
    BlobMissingError,
    BlobsUnavailableError,
    BlobTooLargeError,
)

# How a failure of the blob store ends the attempt: code, and whether another may go better.
_BLOB_FAILURES: Final[Mapping[type[Exception], tuple[str, bool]]] = MappingProxyType(
    {
        # The payload was pruned, moved or damaged: it is so for every attempt.
        BlobMissingError: ("payload_missing", False),
        BlobExpiredError: ("payload_expired", False),
        BlobCorruptError: ("payload_corrupt", False),
        # Only the result can be too large: the payload came out of the store.
        BlobTooLargeError: ("result_too_large", False),
        # A full disk or a lock of somebody else: it may be over at the next attempt.
        BlobsUnavailableError: ("blobs_unavailable", True),
    }
)

_log = structlog.get_logger(__name__)


def outcome_of(error: Exception, grant: Grant, *, run_s: float) -> RunFailed | RunTimedOut:
    """The outcome of an attempt that raised; what nobody expected is logged with its traceback."""
    match error:
        case EngineDeadlineError():
            missed = error.code == HEARTBEAT_MISSED
            return RunTimedOut(run_s=run_s, code=error.code if missed else "")
        case EngineError():
            return RunFailed(
                code=error.code,
                message=str(error),
                retryable=error.retryable,
                device_lost=error.device_lost,
                shared=isinstance(error, SharedCallError),
            )
        case _ if type(error) in _BLOB_FAILURES:
            code, retryable = _BLOB_FAILURES[type(error)]
            return RunFailed(code=code, message=str(error), retryable=retryable)
        case _:
            _log.error(
                "attempt_failed", task=str(grant.task), attempt=grant.attempt, exc_info=error
            )
            return RunFailed(
                code="executor_error",
                message="the executor failed; its log has the details",
                retryable=True,
            )


def attributes_of(report: AttemptReport) -> dict[str, str]:
    """What an end is counted under."""
    outcome = report.outcome
    attributes = {
        "pointsman.device": report.device,
        "pointsman.outcome": str(outcome.__struct_config__.tag),
    }
    if isinstance(outcome, RunFailed):
        attributes["error.type"] = outcome.code
    return attributes

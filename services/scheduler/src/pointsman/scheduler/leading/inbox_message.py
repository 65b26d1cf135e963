"""From an inbox message to the task that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pointsman.contracts import cloudevents
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES, SubmitTask
from pointsman.contracts.submission import InvalidSubmissionError, submission_of, submit_command


@dataclass(frozen=True, slots=True)
class InboxRequest:
    """A task with what makes a repetition of its message recognisable."""

    task: SubmitTask
    identity: bytes
    """Type and data: equal for a repeated message, whatever its transport headers."""


def read_inbox_message(
    tenant: str, headers: Mapping[str, str], body: bytes, *, now: float
) -> InboxRequest:
    """Raises `MalformedCloudEventError` or `InvalidSubmissionError`, both `ValueError`s."""
    event = cloudevents.parse(headers, body)
    try:
        asked = submission_of(event)
    except InvalidSubmissionError as error:
        raise cloudevents.MalformedCloudEventError(
            error.code, str(error), message_id=event.id
        ) from error
    size = len(asked.text.encode())
    if size > MAX_PAYLOAD_BYTES:
        raise cloudevents.MalformedCloudEventError(
            "payload_too_large",
            f"the text has {size} bytes, at most {MAX_PAYLOAD_BYTES} are taken",
            message_id=event.id,
        )
    plain = submit_command(asked, command_id=event.id, tenant=tenant, source=event.source, now=now)
    task = msgspec.structs.replace(
        plain,
        traceparent=event.traceparent,
        correlation_id=event.correlationid,
        causation_id=event.causationid,
    )
    # Without what was left out, so that a field that a later release adds changes no identity.
    said = asked.model_dump(mode="json", exclude_defaults=True)
    return InboxRequest(task, msgspec.json.encode([event.type, said]))

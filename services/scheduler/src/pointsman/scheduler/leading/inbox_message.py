"""From an inbox message to the task that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pointsman.contracts import cloudevents
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES, SubmitTask
from pointsman.contracts.submission import InvalidSubmissionError, TaskSubmission, submission_of


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
    payload = asked.text.encode()
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise cloudevents.MalformedCloudEventError(
            "payload_too_large",
            f"the text has {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are taken",
            message_id=event.id,
        )
    task = _task(event, asked, payload, tenant, now)
    # Without what was left out, so that a field that a later release adds changes no identity.
    said = asked.model_dump(mode="json", exclude_defaults=True)
    return InboxRequest(task, msgspec.json.encode([event.type, said]))


def _task(
    event: cloudevents.CloudEvent, asked: TaskSubmission, payload: bytes, tenant: str, now: float
) -> SubmitTask:
    return SubmitTask(
        command_id=event.id,
        tenant=tenant,
        family=asked.family,
        payload=payload,
        model=asked.model,
        priority_class=asked.priority_class,
        deadline=_deadline(asked, now),
        boost_s=asked.boost_s,
        degradation=asked.allow_degradation,
        min_quality=asked.min_quality,
        max_attempts=asked.max_attempts,
        parameters=dict(asked.parameters) or None,
        source=event.source,
        traceparent=event.traceparent,
        correlation_id=event.correlationid,
        causation_id=event.causationid,
        project=asked.project_id,
        conversation=asked.conversation_id,
        context_tokens=asked.context_tokens,
        cache=asked.cache,
    )


def _deadline(asked: TaskSubmission, now: float) -> float | None:
    if asked.deadline is not None:
        return asked.deadline.timestamp()
    return None if asked.deadline_ms is None else now + asked.deadline_ms / 1000

"""From an inbox message to the rating that it carries."""

from collections.abc import Mapping

from pointsman.contracts import cloudevents
from pointsman.contracts.feedback import GiveFeedback, InvalidRatingError, rating_of


def read_inbox_message(tenant: str, headers: Mapping[str, str], body: bytes) -> GiveFeedback:
    """Raises `MalformedCloudEventError`."""
    event = cloudevents.parse(headers, body)
    try:
        return rating_of(tenant, event)
    except InvalidRatingError as error:
        raise cloudevents.MalformedCloudEventError(
            error.code, str(error), message_id=event.id
        ) from error

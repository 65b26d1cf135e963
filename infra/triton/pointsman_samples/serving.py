"""The edge of the sample models: one INPUT of bytes, one OUTPUT, one clear error per bad request.

Only importable inside the process that Triton starts for a model: ``triton_python_backend_utils``
exists nowhere else. Requests, responses and tensors are its objects.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import triton_python_backend_utils  # pyright: ignore[reportMissingImports] - the server provides it
from numpy.typing import NDArray

# Triton's objects have no types outside its process.
Request: TypeAlias = Any
Response: TypeAlias = Any
Tensor: TypeAlias = Any
pb_utils: Any = triton_python_backend_utils

MAX_TEXT_BYTES = 1024 * 1024

_CANCEL_POLL_S = 0.005


class BadInputError(Exception):
    """The caller's request cannot be worked on; the message is shown to the caller."""


class CancelledRequestError(Exception):
    """Nobody waits for the answer any more."""


def answer_texts(requests: Sequence[Request], answer: Callable[[str], bytes]) -> list[Response]:
    """Answer each request with the bytes that ``answer`` makes of its text."""
    return answer_each(requests, lambda payload: bytes_tensor(answer(text_of(payload))))


def answer_each(requests: Sequence[Request], answer: Callable[[bytes], Tensor]) -> list[Response]:
    """Answer each request with the tensor that ``answer`` makes of its payload.

    A request that was cancelled while it was queued still arrives here, and is not worked on. Every
    model takes the request parameter ``delay_ms``, see ``_wait_added_delay``.
    """
    return [_answer_one(request, answer) for request in requests]


def text_of(payload: bytes) -> str:
    """Decode a payload.

    Raises:
        BadInputError: it is longer than ``MAX_TEXT_BYTES``, not UTF-8, or blank.
    """
    if len(payload) > MAX_TEXT_BYTES:
        raise BadInputError(f"INPUT has {len(payload)} bytes, at most {MAX_TEXT_BYTES} are read")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise BadInputError(f"INPUT is not UTF-8: byte {error.start} cannot be decoded") from error
    if not text.strip():
        raise BadInputError("INPUT is empty; send the text to work on")
    return text


def bytes_tensor(payload: bytes) -> Tensor:
    return pb_utils.Tensor("OUTPUT", np.array([payload], dtype=np.object_))


def vector_tensor(vector: NDArray[np.float32]) -> Tensor:
    return pb_utils.Tensor("OUTPUT", vector)


def _answer_one(request: Request, answer: Callable[[bytes], Tensor]) -> Response:
    try:
        _wait_added_delay(request)
        payload = pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy()[0]
        return pb_utils.InferenceResponse(output_tensors=[answer(payload)])
    except BadInputError as error:
        return _failure(str(error), pb_utils.TritonError.INVALID_ARG)
    except CancelledRequestError as error:
        return _failure(str(error), pb_utils.TritonError.CANCELLED)


def _failure(message: str, code: int) -> Response:
    return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(message, code))


def _wait_added_delay(request: Request) -> None:
    """Wait for the milliseconds of ``delay_ms``: an added delay that stands for longer work.

    Raises:
        CancelledRequestError: the request was cancelled before or during the wait.
        BadInputError: the parameter is not a whole number of milliseconds.
    """
    if request.is_cancelled():
        raise CancelledRequestError("cancelled before the work began")
    delay_ms = _parameter(request, "delay_ms")
    if delay_ms is None:
        return
    if not isinstance(delay_ms, int) or delay_ms < 0:
        raise BadInputError(f"delay_ms must be a whole number of milliseconds, not {delay_ms!r}")
    until = time.monotonic() + delay_ms / 1000
    while (left := until - time.monotonic()) > 0:
        if request.is_cancelled():
            raise CancelledRequestError("cancelled during the added delay")
        time.sleep(min(left, _CANCEL_POLL_S))


def _parameter(request: Request, name: str) -> object:
    # Most requests have none: the search in the JSON text is cheaper than decoding it each time.
    parameters = request.parameters()
    return json.loads(parameters).get(name) if name in parameters else None

"""The edge of the sample models: one INPUT of bytes, one OUTPUT, one clear error per bad request.

Only importable inside the process that Triton starts for a model: ``triton_python_backend_utils``
exists nowhere else. Requests, responses and tensors are its objects.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import triton_python_backend_utils  # pyright: ignore[reportMissingImports] - the server provides it
from numpy.typing import NDArray

# Triton's objects have no types outside its process.
Request: TypeAlias = Any
Response: TypeAlias = Any
Tensor: TypeAlias = Any
Row: TypeAlias = NDArray[Any]
pb_utils: Any = triton_python_backend_utils

MAX_TEXT_BYTES = 1024 * 1024

_CANCEL_POLL_S = 0.005


@dataclass(frozen=True)
class Step:
    """What long work says after each of its steps, or its answer in the last one."""

    progress: float | None = None
    """0 to 1."""
    note: str = ""
    checkpoint: bytes | None = None
    """Where the work stands."""
    answer: bytes | None = None


Answers: TypeAlias = Callable[
    [str, Mapping[str, object], bytes | None], Iterator[Mapping[str, bytes]]
]
"""From text, parameters and checkpoint to the outputs of one answer after the other, by name."""


class BadInputError(Exception):
    """The caller's request cannot be worked on; the message is shown to the caller."""


class CancelledRequestError(Exception):
    """Nobody waits for the answer any more."""


def answer_texts(requests: Sequence[Request], answer: Callable[[str], bytes]) -> list[Response]:
    """Answer each request with the bytes that ``answer`` makes of its texts."""
    return answer_each(requests, lambda payload: bytes_row(answer(text_of(payload))))


def answer_each(requests: Sequence[Request], answer: Callable[[bytes], Row]) -> list[Response]:
    """Answer each request with the rows that ``answer`` makes of its payloads.

    A request that was cancelled while it was queued still arrives here, and is not worked on. Every
    model takes the request parameter ``delay_ms``, see ``_wait_added_delay``.
    """
    return [_answer_one(request, answer) for request in requests]


def answer_timed(requests: Sequence[Request]) -> list[Response]:
    """Give each request its payload back after the seconds of its parameter ``run_s``."""
    return [_answer_one(request, _timed(request)) for request in requests]


def stream_texts(
    requests: Sequence[Request],
    pieces: Callable[[str, Mapping[str, object]], Iterator[str]],
) -> None:
    """Send each request the pieces that ``pieces`` makes of its text and parameters, as they come.

    One request after the other; a cancelled one ends before its next piece. The request parameter
    ``token_delay_ms`` adds a delay before every piece, which stands for a slower model.
    """

    def answers(
        text: str, parameters: Mapping[str, object], _checkpoint: bytes | None
    ) -> Iterator[Mapping[str, bytes]]:
        return ({"OUTPUT": piece.encode()} for piece in pieces(text, parameters))

    for request in requests:
        _stream_one(request, answers, delay="token_delay_ms")


def stream_steps(
    requests: Sequence[Request],
    steps: Callable[[str, Mapping[str, object], bytes | None], Iterator[Step]],
) -> None:
    """Send each request the steps that ``steps`` makes of its text, parameters and checkpoint.

    One request after the other; a cancelled one ends before its next step. The request parameter
    ``step_delay_ms`` adds a delay before every step, which stands for longer work.
    """

    def answers(
        text: str, parameters: Mapping[str, object], checkpoint: bytes | None
    ) -> Iterator[Mapping[str, bytes]]:
        return (_outputs(step) for step in steps(text, parameters, checkpoint))

    for request in requests:
        _stream_one(request, answers, delay="step_delay_ms")


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


def bytes_row(payload: bytes) -> Row:
    """One row of OUTPUT that holds bytes; the row of a vector is the vector itself."""
    return np.array([payload], dtype=np.object_)


def _answer_one(request: Request, answer: Callable[[bytes], Tensor]) -> Response:
    try:
        return pb_utils.InferenceResponse(output_tensors=[_stacked(request, answer)])
    except BadInputError as error:
        return _failure(str(error), pb_utils.TritonError.INVALID_ARG)
    except CancelledRequestError as error:
        return _failure(str(error), pb_utils.TritonError.CANCELLED)


def _timed(request: Request) -> Callable[[bytes], Row]:
    def answer(payload: bytes) -> Row:
        seconds = json.loads(request.parameters() or "{}").get("run_s", 0)
        try:
            _wait(float(seconds), request.is_cancelled, "cancelled during its run time")
        except ValueError:
            raise BadInputError(f"run_s must be seconds, not {seconds!r}") from None
        return bytes_row(payload)

    return answer


def _outputs(step: Step) -> Mapping[str, bytes]:
    outputs: dict[str, bytes] = {}
    if step.progress is not None:
        said = {"progress": step.progress, "note": step.note}
        outputs["PROGRESS"] = json.dumps(said).encode()
    if step.checkpoint is not None:
        outputs["CHECKPOINT"] = step.checkpoint
    if step.answer is not None:
        outputs["OUTPUT"] = step.answer
    return outputs


def _stream_one(request: Request, answers: Answers, *, delay: str) -> None:
    sender: Any = request.get_response_sender()
    try:
        _wait_added_delay(request)
        payload = pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy()[0]
        checkpoint = pb_utils.get_input_tensor_by_name(request, "CHECKPOINT")
        text, parameters = text_of(payload), json.loads(request.parameters() or "{}")
        delay_s = _milliseconds(parameters, delay) / 1000
        begun = checkpoint.as_numpy()[0] if checkpoint is not None else None
        for outputs in answers(text, parameters, begun):
            _wait(delay_s, sender.is_cancelled, "cancelled between two pieces")
            tensors = [
                pb_utils.Tensor(name, bytes_row(content)) for name, content in outputs.items()
            ]
            sender.send(pb_utils.InferenceResponse(output_tensors=tensors))
    except BadInputError as error:
        # In a stream the status is not told, so the text has to say whose fault it is.
        sender.send(_failure(f"invalid input: {error}", pb_utils.TritonError.INVALID_ARG))
    except CancelledRequestError as error:
        sender.send(_failure(str(error), pb_utils.TritonError.CANCELLED))
    finally:
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def _stacked(request: Request, answer: Callable[[bytes], Row]) -> Tensor:
    """Answer every payload of a request, one after the other; one bad payload fails them all.

    A model that batches gets one payload in each row of INPUT, and gives as many rows of OUTPUT.
    """
    rows: list[Row] = []
    for payload in pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy().reshape(-1):
        _wait_added_delay(request)
        rows.append(answer(payload))
    return pb_utils.Tensor("OUTPUT", np.stack(rows))


def _failure(message: str, code: int) -> Response:
    return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(message, code))


def _wait_added_delay(request: Request) -> None:
    """Wait for the milliseconds of ``delay_ms``: an added delay that stands for longer work.

    It is waited for each payload: the models work on a batch one after the other.

    Raises:
        CancelledRequestError: the request was cancelled before or during the wait.
        BadInputError: the parameter is not a whole number of milliseconds.
    """
    if request.is_cancelled():
        raise CancelledRequestError("cancelled before the work began")
    # Most requests have none: the search in the JSON text is cheaper than decoding it each time.
    parameters = request.parameters()
    if "delay_ms" in parameters:
        delay_s = _milliseconds(json.loads(parameters), "delay_ms") / 1000
        _wait(delay_s, request.is_cancelled, "cancelled during the added delay")


def _wait(seconds: float, is_cancelled: Callable[[], bool], when: str) -> None:
    until = time.monotonic() + seconds
    while True:
        if is_cancelled():
            raise CancelledRequestError(when)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _CANCEL_POLL_S))


def _milliseconds(parameters: Mapping[str, object], name: str) -> int:
    found = parameters.get(name, 0)
    if not isinstance(found, int) or found < 0:
        raise BadInputError(f"{name} must be a whole number of milliseconds, not {found!r}")
    return found

"""The wire form of `ModelStreamInfer`: one request, answers piece by piece, a marked end."""

from typing import Any, Final, Protocol, cast

from grpc import StatusCode

from pointsman.executor.adapters.kserve import OUTPUT, bad_output, messages, output_of
from pointsman.executor.adapters.kserve_signs import signs_of
from pointsman.executor.adapters.triton_failures import failure_of
from pointsman.executor.ports import EngineError, Output, Piece

STREAM_VERB: Final = "ModelStreamInfer"
MAX_STREAM_BYTES: Final = 16 * 1024 * 1024
"""Of all pieces of one answer; a model that never stops is stopped here, or by its deadline."""
MAX_PIECES: Final = 1_000_000
"""Signs of life included."""

_FINAL: Final = "triton_final_response"
_ASK_FOR_FINAL: Final = "triton_enable_empty_final_response"

# The status of an error is not told in a stream, only its text. With `triton_grpc_error` it would
# be, but then servers up to 2.51 crash when a model sends its final flag after an error.
_UNTOLD: Final = StatusCode.UNKNOWN


def asking_for_the_end() -> bytes:
    """What goes before a request, so that the end of its answers is marked."""
    request = messages.ModelInferRequest()
    request.parameters[_ASK_FOR_FINAL].bool_param = True
    return bytes(request.SerializeToString())


class _Parameter(Protocol):
    bool_param: bool


class StreamedAnswer:
    """Takes the answers to one call, and knows whether they were all."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._count = 0
        self._version = ""
        self._ended = False

    def take(self, body: bytes) -> tuple[Piece, ...]:
        """What a serialised `ModelStreamInferResponse` holds, nothing in the last one.

        Raises `EngineError`: the model failed, or its answers are not what they have to be.
        """
        answer: Any = messages.ModelStreamInferResponse.FromString(body)
        if answer.error_message:
            raise failure_of(_UNTOLD, str(answer.error_message))
        response = answer.infer_response
        if self._ended:
            raise bad_output("an answer came after the one that was marked as the last")
        self._ended = _is_final(response)
        if not response.outputs:
            if not self._ended:
                raise bad_output("a piece has no tensor")
            return ()
        self._bound(1)
        pieces: tuple[Piece, ...] = signs_of(response)
        if not pieces or any(tensor.name == OUTPUT for tensor in response.outputs):
            output = output_of(response)
            if output.media_type is not None:
                raise bad_output("a piece is no text but a tensor of numbers")
            pieces = (*pieces, self._kept(output))
        return pieces

    def whole(self) -> Output:
        """All pieces put together; raises `EngineError` if the end was not marked."""
        if not self._ended:
            raise EngineError(
                "stream_cut", f"the answer broke off after {self._size} bytes", retryable=True
            )
        return Output(data=b"".join(self._pieces), model_version=self._version)

    def _bound(self, pieces: int = 0, size: int = 0) -> None:
        self._count += pieces
        self._size += size
        if self._size > MAX_STREAM_BYTES or self._count > MAX_PIECES:
            raise EngineError(
                "result_too_large",
                f"the answer has more than {MAX_STREAM_BYTES} bytes or {MAX_PIECES} pieces",
                retryable=False,
            )

    def _kept(self, output: Output) -> bytes:
        self._bound(size=len(output.data))
        self._pieces.append(output.data)
        self._version = output.model_version
        return output.data


def _is_final(response: Any) -> bool:  # noqa: ANN401 - a generated message
    # A map of messages creates what it is asked for.
    parameters = response.parameters
    return _FINAL in parameters and cast("_Parameter", parameters[_FINAL]).bool_param

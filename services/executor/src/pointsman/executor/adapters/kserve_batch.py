"""Several tasks in one KServe v2 request: their inputs stacked, their outputs taken apart.

A model that batches takes `INPUT` with the size of the batch as first dimension, and gives `OUTPUT`
with the same one.
"""

from collections.abc import Sequence
from typing import cast

from pointsman.executor.adapters.kserve import (
    INPUT_TAG,
    LENGTH,
    OUTPUT,
    InferResponse,
    Tensor,
    bad_output,
    checked,
    messages,
    request_fields,
    varint,
)
from pointsman.executor.ports import Call, EngineError, Output


def batch_bytes(head: bytes, calls: Sequence[Call]) -> bytes:
    """A whole `ModelInferRequest`; `head` declares as many elements as there are calls."""
    first = calls[0]
    id_ = f"{first.id} and {len(calls) - 1} more"
    parts = [head, request_fields(id_, first.parameters), INPUT_TAG]
    parts.append(varint(sum(LENGTH + len(call.payload) for call in calls)))
    for call in calls:
        parts += (len(call.payload).to_bytes(LENGTH, "little"), call.payload)
    return b"".join(parts)


def read_outputs(body: bytes, size: int) -> list[Output | EngineError]:
    """The output of each call, checked on its own, or what is wrong with it.

    Raises `EngineError` with code `bad_output` when the answer cannot be taken apart.
    """
    response = cast("InferResponse", messages.ModelInferResponse.FromString(body))
    for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=False):
        if tensor.name == OUTPUT:
            shape = tuple(tensor.shape)
            if not shape or shape[0] != size:
                raise bad_output(f"{OUTPUT} has shape {list(shape)} for a batch of {size}")
            rows = _elements(raw, size) if tensor.datatype == "BYTES" else _rows(raw, size)
            return [_checked(tensor, shape[1:], row, response.model_version) for row in rows]
    raise bad_output(f"the answer has no tensor {OUTPUT} with content")


def _checked(
    tensor: Tensor, shape: tuple[int, ...], raw: bytes, version: str
) -> Output | EngineError:
    try:
        return checked(tensor.datatype, shape, raw, version)
    except EngineError as error:
        return error


def _elements(raw: bytes, size: int) -> list[bytes]:
    """Each element with its length."""
    elements: list[bytes] = []
    start = 0
    for _ in range(size):
        end = start + LENGTH + int.from_bytes(raw[start : start + LENGTH], "little")
        elements.append(raw[start:end])
        start = end
    if start != len(raw):
        raise bad_output(f"{OUTPUT} holds {len(raw)} bytes, its {size} elements need {start}")
    return elements


def _rows(raw: bytes, size: int) -> list[bytes]:
    width, rest = divmod(len(raw), size)
    if rest:
        raise bad_output(f"{OUTPUT} holds {len(raw)} bytes, which are not {size} equal rows")
    return [raw[start : start + width] for start in range(0, len(raw), width or 1)]

"""Signs of life in the answers of a streaming model, and the checkpoint that a call may bring.

A streaming model may declare two further outputs, TYPE_STRING with one element, and send them in
answers of their own or beside a piece of `OUTPUT`:

    PROGRESS    a JSON object: `progress` (0 to 1) and `note` (a text), each may be missing; an
                empty object says that the model lives
    CHECKPOINT  bytes that mean something to the model alone: where it stands

and an optional input `CHECKPOINT`, TYPE_STRING with one element: where an earlier call of the same
payload and parameters stood. A model that cannot make anything of it begins anew.
"""

from typing import Annotated, Final

import msgspec

from pointsman.executor.adapters.kserve import (
    CHECKPOINT,
    INPUT_TAG,
    LENGTH,
    PROGRESS,
    InferResponse,
    bad_output,
    checked,
    messages,
    varint,
)
from pointsman.executor.adapters.triton_failures import scrubbed
from pointsman.executor.ports import Checkpoint, EngineError, Progress

MAX_CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
"""Written down up to once a second, for as long as the task is open."""
MAX_NOTE: Final = 200
"""Characters; it travels with every renewal."""


class _Sign(msgspec.Struct, frozen=True):
    progress: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    note: str = ""


_decoder: Final = msgspec.json.Decoder(_Sign)
_SHAPE: Final = (1,)
_FIELDS: Final = bytes(
    messages.ModelInferRequest(
        inputs=[
            messages.ModelInferRequest.InferInputTensor(
                name=CHECKPOINT, datatype="BYTES", shape=_SHAPE
            )
        ]
    ).SerializeToString()
)


def checkpoint_bytes(checkpoint: bytes) -> bytes:
    """What follows a request that has its payload, so that it brings a checkpoint as well."""
    size = len(checkpoint)
    head = (_FIELDS, INPUT_TAG, varint(size + LENGTH), size.to_bytes(LENGTH, "little"))
    return b"".join((*head, checkpoint))


def signs_of(response: InferResponse) -> tuple[Progress | Checkpoint, ...]:
    """The signs of life in an answer, progress first; raises `EngineError`."""
    contents = {
        tensor.name: checked(tensor.datatype, tensor.shape, raw, response.model_version)
        for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=False)
        if tensor.name in {PROGRESS, CHECKPOINT}
    }
    if any(output.media_type is not None for output in contents.values()):
        raise bad_output(f"{PROGRESS} and {CHECKPOINT} are texts, not tensors of numbers")
    signs: list[Progress | Checkpoint] = []
    if PROGRESS in contents:
        signs.append(_progress(contents[PROGRESS].data))
    if CHECKPOINT in contents:
        signs.append(_checkpoint(contents[CHECKPOINT].data))
    return tuple(signs)


def _progress(text: bytes) -> Progress:
    try:
        sign = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise bad_output(f"{PROGRESS} cannot be read: {error}") from error
    return Progress(sign.progress, scrubbed(sign.note)[:MAX_NOTE])


def _checkpoint(data: bytes) -> Checkpoint:
    if len(data) > MAX_CHECKPOINT_BYTES:
        raise EngineError(
            "checkpoint_too_large",
            f"{CHECKPOINT} has {len(data)} bytes, at most {MAX_CHECKPOINT_BYTES} are taken",
            retryable=False,
        )
    return Checkpoint(data)

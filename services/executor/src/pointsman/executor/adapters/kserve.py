"""The wire form of the KServe v2 gRPC protocol: requests as bytes, answers checked.

Every Pointsman variant takes one BYTES tensor `INPUT` with one element and gives one tensor
`OUTPUT`, BYTES with one element or FP32. A BYTES element is its length (4 bytes, little-endian)
and its bytes. What a streaming variant may take and give beside that stands in `kserve_signs`.
"""

import array
import importlib
import importlib.util
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Protocol, cast

from pointsman.executor.ports import EngineError, Output

SERVICE: Final = "/inference.GRPCInferenceService/"
INPUT: Final = "INPUT"
OUTPUT: Final = "OUTPUT"
PROGRESS: Final = "PROGRESS"
CHECKPOINT: Final = "CHECKPOINT"
CONCURRENT_REQUESTS: Final = "pointsman.concurrent_requests"
"""Parameter of a model's configuration: calls that one instance should have at the same time.

More than one where the back end batches in flight, or where a call is so short that an instance
would wait for the next grant.
"""
HEARTBEAT_S: Final = "pointsman.heartbeat_s"
"""Parameter of a streaming model's configuration: it gives a sign of life at least so often."""

LENGTH: Final = 4
"""Bytes before an element of a BYTES tensor: how many follow, little-endian."""

_FP32: Final = 4
# `repeated bytes raw_input_contents = 7`, wire type 2.
INPUT_TAG: Final = b"\x3a"
_WHOLE_NUMBER: Final = re.compile(r"^-?[0-9]{1,18}$")


class Tensor(Protocol):
    """The fields of a declared tensor that are read here."""

    name: str
    datatype: str
    shape: Sequence[int]


class InferResponse(Protocol):
    """The fields of `inference.ModelInferResponse` that are read here."""

    model_version: str
    outputs: Sequence[Tensor]
    raw_output_contents: Sequence[bytes]


def _load_messages() -> ModuleType:
    # The package of the generated messages imports tritonclient's own client, and with it numpy:
    # 12 MB of memory that nothing here uses. So it stands in `sys.modules` unexecuted while the
    # messages are loaded; whoever imports the client later gets it whole, with the same messages.
    name = "tritonclient.grpc.service_pb2"
    package = name.rpartition(".")[0]
    if package in sys.modules:
        return importlib.import_module(name)
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(name=package)
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[package]


messages: Final = _load_messages()
"""The generated classes of `inference.GRPCInferenceService`."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A ready model that keeps the convention."""

    name: str
    shape: tuple[int, ...]
    """Of `INPUT`; a model that batches takes the size of the batch first."""
    slots: int
    """Calls that it takes at the same time: instances times `CONCURRENT_REQUESTS`."""
    on_gpu: bool
    max_batch: int = 1
    """Tasks that one call may carry; one that streams answers a call at a time."""
    streams: bool = False
    """Decoupled: it answers a call in pieces, over `ModelStreamInfer`."""
    resumes: bool = False
    """It takes an optional `CHECKPOINT` beside `INPUT`."""
    heartbeat_s: float = 0.0
    """0: it promises no signs of life."""


def loaded_model(config: Any) -> LoadedModel | None:  # noqa: ANN401 - the generated ModelConfig
    """Read a model's configuration; none if it takes or gives anything else."""
    kinds = messages.model__config__pb2
    resumes = any(tensor.name == CHECKPOINT and tensor.optional for tensor in config.input)
    inputs = [
        (tensor.name, tensor.data_type, tuple(tensor.dims))
        for tensor in config.input
        if not (tensor.name == CHECKPOINT and tensor.optional)
    ]
    fits = any(inputs == [(INPUT, kinds.TYPE_STRING, (size,))] for size in (1, -1))
    gives = any(
        tensor.name == OUTPUT and tensor.data_type in {kinds.TYPE_STRING, kinds.TYPE_FP32}
        for tensor in config.output
    )
    streams = bool(config.model_transaction_policy.decoupled)
    if streams:
        # Its pieces are put together, which only texts can be.
        gives = gives and all(tensor.data_type == kinds.TYPE_STRING for tensor in config.output)
    if not fits or not gives:
        return None
    groups = config.instance_group
    return LoadedModel(
        name=config.name,
        shape=(1, 1) if config.max_batch_size else (1,),
        # `count` is per GPU; a configuration without groups has one instance.
        slots=_concurrent_requests(config)
        * (sum(group.count * max(1, len(group.gpus)) for group in groups) or 1),
        on_gpu=any(group.kind == kinds.ModelInstanceGroup.KIND_GPU for group in groups),
        max_batch=1 if streams else max(1, config.max_batch_size),
        streams=streams,
        resumes=streams and resumes,
        heartbeat_s=_heartbeat_s(config) if streams else 0.0,
    )


def _concurrent_requests(config: Any) -> int:  # noqa: ANN401 - the generated ModelConfig
    text = _parameter(config, CONCURRENT_REQUESTS)
    return max(1, int(text)) if text.isdecimal() else 1


def _heartbeat_s(config: Any) -> float:  # noqa: ANN401 - the generated ModelConfig
    try:
        seconds = float(_parameter(config, HEARTBEAT_S) or 0)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def _parameter(config: Any, name: str) -> str:  # noqa: ANN401 - the generated ModelConfig
    # A configuration's map creates what it is asked for.
    return str(config.parameters[name].string_value) if name in config.parameters else ""


def request_head(variant: str, shape: Sequence[int]) -> bytes:
    """What is equal in all requests to a variant, serialised."""
    tensor = messages.ModelInferRequest.InferInputTensor(name=INPUT, datatype="BYTES", shape=shape)
    return bytes(
        messages.ModelInferRequest(model_name=variant, inputs=[tensor]).SerializeToString()
    )


def request_bytes(
    head: bytes, id_: str, payload: bytes, parameters: Mapping[str, str] | None
) -> bytes:
    """A whole `ModelInferRequest`.

    Serialised messages that stand one after the other are read as one (protocol buffers, "last
    one wins"), so neither the head nor the payload passes through a message object.
    """
    size = len(payload)
    return b"".join(
        (
            head,
            request_fields(id_, parameters),
            INPUT_TAG,
            varint(size + LENGTH),
            size.to_bytes(LENGTH, "little"),
            payload,
        )
    )


def request_fields(id_: str, parameters: Mapping[str, str] | None) -> bytes:
    """What belongs to one request whatever its tensors are, serialised."""
    request = messages.ModelInferRequest(id=id_)
    for name, value in (parameters or {}).items():
        if _WHOLE_NUMBER.match(value):
            request.parameters[name].int64_param = int(value)
        else:
            request.parameters[name].string_param = value
    return bytes(request.SerializeToString())


def read_output(body: bytes) -> Output:
    """Check a serialised `ModelInferResponse`; raises `EngineError` with code `bad_output`.

    A model whose interpreter is broken answers OK with the right shape and no bytes, so lengths
    are compared with the shape.
    """
    return output_of(cast("InferResponse", messages.ModelInferResponse.FromString(body)))


def output_of(response: InferResponse) -> Output:
    """Check a `ModelInferResponse`; raises `EngineError` with code `bad_output`."""
    tensors = zip(response.outputs, response.raw_output_contents, strict=False)
    for tensor, raw in tensors:
        if tensor.name == OUTPUT:
            return checked(tensor.datatype, tensor.shape, raw, response.model_version)
    raise bad_output(f"the answer has no tensor {OUTPUT} with content")


def checked(datatype: str, shape: Sequence[int], raw: bytes, version: str) -> Output:
    """The output that the bytes of one tensor stand for; raises `EngineError` (`bad_output`)."""
    count = math.prod(shape)
    if datatype == "BYTES":
        if count != 1 or int.from_bytes(raw[:LENGTH], "little") != len(raw) - LENGTH:
            raise bad_output(
                f"{OUTPUT} is BYTES of shape {list(shape)} in {len(raw)} bytes, "
                "expected is one element with its length"
            )
        return Output(data=raw[LENGTH:], model_version=version)
    if datatype != "FP32":
        raise bad_output(f"{OUTPUT} is {datatype}, expected is BYTES or FP32")
    if count < 1 or len(raw) != count * _FP32:
        raise bad_output(f"{OUTPUT} is FP32 of shape {list(shape)} in {len(raw)} bytes")
    # Summed as doubles, finite FP32 numbers cannot overflow, and one NaN or infinity shows.
    if not math.isfinite(sum(array.array("f", raw))):
        raise bad_output(f"{OUTPUT} holds numbers that are not finite")
    sizes = ",".join(map(str, shape))
    media_type = f"application/vnd.pointsman.tensor;datatype=FP32;shape={sizes}"
    return Output(data=raw, media_type=media_type, model_version=version)


def bad_output(message: str) -> EngineError:
    """An answer that cannot be used; another attempt may get a better one."""
    return EngineError("bad_output", message, retryable=True)


def varint(number: int) -> bytes:
    """A number as protocol buffers write it."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)

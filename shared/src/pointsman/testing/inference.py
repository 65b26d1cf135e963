"""A plain client of the sample models, for tests and measurements."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from math import prod
from typing import Any, Final

import grpc.aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

# Generated code without types.
_messages: Final[Any] = service_pb2
_stubs: Final[Any] = service_pb2_grpc

_LENGTH_BYTES: Final = 4
_FLOAT_BYTES: Final = 4


class StreamRefusedError(Exception):
    """A streaming call ended with an error; Triton tells its text, not its status."""


class InferenceClient:
    """Calls models that take one INPUT of bytes and give one OUTPUT."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = _stubs.GRPCInferenceServiceStub(channel)
        self._shapes: dict[str, list[int]] = {}

    async def infer(
        self,
        model: str,
        payload: bytes,
        *,
        parameters: Mapping[str, int | str] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """Give the bytes of OUTPUT: a text without its length, a vector as little-endian floats.

        Cancelling the awaiting task cancels the call. `parameters` go with the request.

        Raises:
            grpc.aio.AioRpcError: the server or the model refused, or `timeout_s` is over.
            ValueError: the bytes do not fill the shape that the answer declares.
        """
        shape = await self._shape_of(model)
        request = _request(model, payload, parameters or {}, shape)
        return _output(await self._stub.ModelInfer(request, timeout=timeout_s))

    async def stream(
        self,
        model: str,
        payload: bytes,
        *,
        parameters: Mapping[str, int | str] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[bytes]:
        """Give the pieces of text that a streaming model sends; closing it cancels the call.

        Raises:
            StreamRefusedError: the model or the server refused, before or between two pieces.
            grpc.aio.AioRpcError: the server is gone, or `timeout_s` is over.
        """
        request = _request(model, payload, parameters or {}, [1])
        call = self._stub.ModelStreamInfer(timeout=timeout_s)
        refusal = ""
        try:
            await call.write(request)
            await call.done_writing()
            async for answer in call:
                # Read on to the end: a server can die of a cancellation while it writes that.
                refusal = refusal or answer.error_message
                response = answer.infer_response
                if any(tensor.name == "OUTPUT" for tensor in response.outputs) and not refusal:
                    yield _output(response)
        finally:
            call.cancel()
        if refusal:
            raise StreamRefusedError(refusal)

    async def _shape_of(self, model: str) -> list[int]:
        """Of INPUT with one payload: a model that batches takes the size of the batch first."""
        if model not in self._shapes:
            asked = _messages.ModelConfigRequest(name=model)
            config = (await self._stub.ModelConfig(asked)).config
            self._shapes[model] = [1, 1] if config.max_batch_size else [1]
        return self._shapes[model]

    async def load(self, model: str) -> None:
        await self._stub.RepositoryModelLoad(_messages.RepositoryModelLoadRequest(model_name=model))

    async def unload(self, model: str) -> None:
        """Return when the model takes no more calls; its processes end some seconds later."""
        await self._stub.RepositoryModelUnload(
            _messages.RepositoryModelUnloadRequest(model_name=model)
        )


@asynccontextmanager
async def inference_client(address: str) -> AsyncGenerator[InferenceClient]:
    """Connect to a server's gRPC address."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield InferenceClient(channel)


def _request(
    model: str, payload: bytes, parameters: Mapping[str, int | str], shape: list[int]
) -> Any:  # noqa: ANN401 - a generated message
    tensor = _messages.ModelInferRequest.InferInputTensor(
        name="INPUT", datatype="BYTES", shape=shape
    )
    request = _messages.ModelInferRequest(
        model_name=model,
        inputs=[tensor],
        raw_input_contents=[len(payload).to_bytes(_LENGTH_BYTES, "little") + payload],
    )
    for name, value in parameters.items():
        if isinstance(value, int):
            request.parameters[name].int64_param = value
        else:
            request.parameters[name].string_param = value
    return request


def _output(response: Any) -> bytes:  # noqa: ANN401 - a generated message
    # Signs of life may stand beside it.
    tensor, content = next(
        (tensor, content)
        for tensor, content in zip(response.outputs, response.raw_output_contents, strict=True)
        if tensor.name == "OUTPUT"
    )
    if tensor.datatype == "BYTES":
        length, text = content[:_LENGTH_BYTES], content[_LENGTH_BYTES:]
        whole = len(length) == _LENGTH_BYTES and len(text) == int.from_bytes(length, "little")
    else:
        text = content
        whole = len(content) == _FLOAT_BYTES * prod(tensor.shape)
    if not whole:
        raise ValueError(f"OUTPUT of {response.model_name} is cut off: {len(content)} bytes")
    return bytes(text)

"""One inference call to a sample model, as raw as it gets: for tests and measurements."""

from collections.abc import Mapping

from tritonclient.grpc import service_pb2


def inference_request(
    model: str, payload: bytes, *, parameters: Mapping[str, int | str] | None = None
) -> service_pb2.ModelInferRequest:
    """Build the request that all sample models take: one INPUT of bytes."""
    tensor = service_pb2.ModelInferRequest.InferInputTensor(
        name="INPUT", datatype="BYTES", shape=[1]
    )
    request = service_pb2.ModelInferRequest(
        model_name=model,
        inputs=[tensor],
        raw_input_contents=[len(payload).to_bytes(4, "little") + payload],
    )
    for name, value in (parameters or {}).items():
        if isinstance(value, int):
            request.parameters[name].int64_param = value
        else:
            request.parameters[name].string_param = value
    return request


def output_of(response: service_pb2.ModelInferResponse) -> bytes:
    """Give the bytes of OUTPUT: a text without its length, a vector as little-endian floats.

    Raises:
        ValueError: the bytes do not fill the shape that the response declares.
    """
    (tensor,), (content,) = response.outputs, response.raw_output_contents
    if tensor.datatype == "BYTES":
        text = content[4:]
        if len(content) < 4 or len(text) != int.from_bytes(content[:4], "little"):  # noqa: PLR2004
            raise ValueError(f"OUTPUT of {response.model_name} is cut off: {len(content)} bytes")
        return text
    if len(content) != 4 * tensor.shape[0]:
        raise ValueError(f"OUTPUT of {response.model_name} has {len(content)} bytes")
    return content

"""The answers of one streaming call as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.executor.adapters.kserve import loaded_model, messages, request_bytes, request_head
from pointsman.executor.adapters.kserve_stream import (
    MAX_STREAM_BYTES,
    StreamedAnswer,
    asking_for_the_end,
)
from pointsman.executor.ports import EngineError, Output


def piece(text: bytes, *, datatype: str = "BYTES", last: bool = False) -> bytes:
    response = ending(last=last)
    response.model_version = "3"
    response.outputs.add(name="OUTPUT", datatype=datatype, shape=(1,))
    raw = len(text).to_bytes(4, "little") + text if datatype == "BYTES" else text
    response.raw_output_contents.append(raw)
    return answer(response)


def end() -> bytes:
    return answer(ending(last=True))


def ending(*, last: bool):  # noqa: ANN201 - a generated message
    response = messages.ModelInferResponse()
    response.parameters["triton_final_response"].bool_param = last
    return response


def answer(response: object, error: str = "") -> bytes:
    return bytes(
        messages.ModelStreamInferResponse(
            infer_response=response, error_message=error
        ).SerializeToString()
    )


def taken(*bodies: bytes) -> Output:
    streamed = StreamedAnswer()
    for body in bodies:
        streamed.take(body)
    return streamed.whole()


@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_the_pieces_are_the_output(pieces: list[bytes], marked_apart: bool) -> None:
    bodies = [piece(text) for text in pieces]
    if pieces and not marked_apart:
        bodies[-1] = piece(pieces[-1], last=True)
    else:
        bodies.append(end())

    output = taken(*bodies)

    assert output.data == b"".join(pieces)
    assert output.model_version == ("3" if pieces else "")


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_an_answer_that_was_cut_is_no_output(pieces: list[bytes]) -> None:
    with pytest.raises(EngineError) as caught:
        taken(*(piece(text) for text in pieces))

    assert (caught.value.code, caught.value.retryable) == ("stream_cut", True)


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param([answer(ending(last=False)), end()], id="a piece without a tensor"),
        pytest.param([piece(bytes(4), datatype="FP32"), end()], id="numbers"),
        pytest.param([piece(b"", datatype="INT64"), end()], id="another type"),
        pytest.param([end(), piece(b"late")], id="more after the end"),
    ],
)
def test_a_piece_that_is_no_text_is_a_bad_output(bodies: list[bytes]) -> None:
    with pytest.raises(EngineError) as caught:
        taken(*bodies)

    assert caught.value.code == "bad_output"


@pytest.mark.parametrize(
    ("text", "code", "retryable"),
    [
        ("the model raised", "model_error", False),
        ("CUDA out of memory. Tried to allocate 20.00 MiB", "out_of_memory", True),
        ("Request for unknown model: 'generate' is not found", "model_not_found", True),
        ("Exceeds maximum queue size", "engine_busy", True),
    ],
)
def test_an_error_between_two_pieces_is_told_by_its_text(
    text: str, code: str, retryable: bool
) -> None:
    with pytest.raises(EngineError) as caught:
        taken(piece(b"good"), answer(ending(last=False), text))

    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_an_answer_that_does_not_stop_is_stopped() -> None:
    streamed = StreamedAnswer()
    megabyte = piece(bytes(1024 * 1024))
    for _ in range(MAX_STREAM_BYTES // (1024 * 1024)):
        streamed.take(megabyte)

    with pytest.raises(EngineError) as caught:
        streamed.take(piece(b"more"))

    assert (caught.value.code, caught.value.retryable) == ("result_too_large", False)


def test_a_request_asks_for_a_marked_end_beside_its_own_parameters() -> None:
    body = asking_for_the_end() + request_bytes(
        request_head("generate", (1,)), "task", b"The", {"max_tokens": "7"}
    )

    request = messages.ModelInferRequest.FromString(body)

    assert request.parameters["triton_enable_empty_final_response"].bool_param
    assert request.parameters["max_tokens"].int64_param == 7
    assert request.model_name == "generate"


@pytest.mark.parametrize(("data_type", "offered"), [("TYPE_STRING", True), ("TYPE_FP32", False)])
def test_a_decoupled_model_is_offered_if_it_gives_texts(data_type: str, offered: bool) -> None:
    kinds = messages.model__config__pb2
    config = kinds.ModelConfig(name="generate")
    config.input.add(name="INPUT", data_type=kinds.TYPE_STRING, dims=[1])
    config.output.add(name="OUTPUT", data_type=getattr(kinds, data_type), dims=[1])
    config.model_transaction_policy.decoupled = True

    loaded = loaded_model(config)

    assert (loaded is not None and loaded.streams) is offered

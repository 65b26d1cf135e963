"""Requests and answers of the KServe v2 protocol as bytes."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.executor.adapters.kserve import (
    loaded_model,
    messages,
    read_output,
    request_bytes,
    request_head,
)
from pointsman.executor.ports import EngineError

HEAD = request_head("identity", (1,))


def response(
    raw: Sequence[bytes],
    *,
    name: str = "OUTPUT",
    datatype: str = "BYTES",
    shape: Sequence[int] = (1,),
) -> bytes:
    tensor = messages.ModelInferResponse.InferOutputTensor(
        name=name, datatype=datatype, shape=shape
    )
    return bytes(
        messages.ModelInferResponse(
            model_version="3", outputs=[tensor], raw_output_contents=raw
        ).SerializeToString()
    )


def element(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


@given(
    st.binary(max_size=70_000),
    st.text(max_size=20),
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=8)),
)
def test_a_request_reads_as_one_message(
    payload: bytes, id_: str, parameters: dict[str, str]
) -> None:
    request = messages.ModelInferRequest.FromString(request_bytes(HEAD, id_, payload, parameters))

    (tensor,) = request.inputs
    assert (request.model_name, request.id) == ("identity", id_)
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("INPUT", "BYTES", [1])
    assert list(request.raw_input_contents) == [element(payload)]
    assert set(request.parameters) == set(parameters)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("250", "int64_param", 250),
        ("-3", "int64_param", -3),
        ("0250", "int64_param", 250),
        ("2.5", "string_param", "2.5"),
        ("", "string_param", ""),
        ("9" * 19, "string_param", "9" * 19),
        ("٣", "string_param", "٣"),
    ],
)
def test_a_parameter_is_a_number_if_it_looks_like_one(
    text: str, kind: str, value: int | str
) -> None:
    request = messages.ModelInferRequest.FromString(request_bytes(HEAD, "1", b"", {"k": text}))

    assert request.parameters["k"].WhichOneof("parameter_choice") == kind
    assert getattr(request.parameters["k"], kind) == value


@given(st.binary(max_size=70_000))
def test_the_element_of_a_bytes_output_is_given_back(data: bytes) -> None:
    output = read_output(response([element(data)]))

    assert (output.data, output.media_type, output.model_version) == (data, None, "3")


def test_numbers_stay_bytes_and_are_named_in_the_media_type() -> None:
    raw = struct.pack("<6f", *range(6))

    output = read_output(response([raw], datatype="FP32", shape=(2, 3)))

    assert output.data == raw
    assert output.media_type == "application/vnd.pointsman.tensor;datatype=FP32;shape=2,3"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(response([b""]), id="silently empty"),
        pytest.param(response([]), id="no content"),
        pytest.param(response([element(b"abc")[:-1]]), id="cut off"),
        pytest.param(response([element(b"abc") + b"d"]), id="too long"),
        pytest.param(response([element(b"abc")], shape=(2,)), id="two elements"),
        pytest.param(response([element(b"abc")], name="RESULT"), id="another name"),
        pytest.param(response([b""], datatype="FP32", shape=(4,)), id="empty numbers"),
        pytest.param(response([b""], datatype="FP32", shape=(0,)), id="no numbers"),
        pytest.param(response([bytes(12)], datatype="FP32", shape=(4,)), id="numbers missing"),
        pytest.param(response([bytes(8)], datatype="INT64", shape=(1,)), id="another type"),
    ],
)
def test_an_output_that_does_not_fit_its_shape_is_bad(body: bytes) -> None:
    with pytest.raises(EngineError) as caught:
        read_output(body)

    assert (caught.value.code, caught.value.retryable) == ("bad_output", True)


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50)
)
def test_any_finite_numbers_are_good(numbers: list[float]) -> None:
    raw = struct.pack(f"<{len(numbers)}f", *numbers)

    assert read_output(response([raw], datatype="FP32", shape=(len(numbers),))).data == raw


@given(
    st.lists(st.floats(width=32), max_size=50),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    st.data(),
)
def test_one_number_that_is_not_finite_is_bad(
    numbers: list[float], bad: float, data: st.DataObject
) -> None:
    numbers.insert(data.draw(st.integers(0, len(numbers))), bad)
    raw = struct.pack(f"<{len(numbers)}f", *numbers)

    with pytest.raises(EngineError, match="not finite"):
        read_output(response([raw], datatype="FP32", shape=(len(numbers),)))


def config(**changes: object) -> object:
    kinds = messages.model__config__pb2
    fields = {
        "name": "m",
        "input": [{"name": "INPUT", "data_type": kinds.TYPE_STRING, "dims": [1]}],
        "output": [{"name": "OUTPUT", "data_type": kinds.TYPE_STRING, "dims": [1]}],
    }
    return kinds.ModelConfig(**(fields | changes))


def test_a_model_that_keeps_the_convention_is_served() -> None:
    loaded = loaded_model(config(instance_group=[{"kind": 2, "count": 3}]))

    assert loaded is not None
    assert (loaded.name, loaded.shape, loaded.slots, loaded.on_gpu) == ("m", (1,), 3, False)


def test_instances_are_counted_per_gpu() -> None:
    loaded = loaded_model(config(instance_group=[{"kind": 1, "count": 2, "gpus": [0, 1]}]))

    assert loaded is not None
    assert (loaded.slots, loaded.on_gpu) == (4, True)


@pytest.mark.parametrize(("text", "slots"), [("8", 16), ("0", 2), ("many", 2), ("", 2)])
def test_a_model_may_declare_that_an_instance_takes_several_calls(text: str, slots: int) -> None:
    loaded = loaded_model(
        config(
            instance_group=[{"kind": 2, "count": 2}],
            parameters={"pointsman.concurrent_requests": {"string_value": text}},
        )
    )

    assert loaded is not None
    assert loaded.slots == slots


def test_a_model_that_batches_is_sent_a_batch_of_one() -> None:
    loaded = loaded_model(config(max_batch_size=8))

    assert loaded is not None
    assert loaded.shape == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"input": [{"name": "IMAGE", "data_type": 11, "dims": [3, 224, 224]}]},
        {"input": []},
        {"output": [{"name": "LOGITS", "data_type": 11, "dims": [10]}]},
    ],
    ids=["other-input", "no-input", "other-output"],
)
def test_a_model_that_takes_or_gives_anything_else_is_not_offered(
    changes: dict[str, object],
) -> None:
    assert loaded_model(config(**changes)) is None

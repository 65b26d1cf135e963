"""Several tasks in one request of the KServe v2 protocol."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.executor.adapters.kserve import loaded_model, messages, request_head
from pointsman.executor.adapters.kserve_batch import batch_bytes, read_outputs
from pointsman.executor.ports import Call, EngineError, Output
from tests.executor.test_kserve import config, element, response


def calls(payloads: Sequence[bytes]) -> list[Call]:
    return [
        Call(
            id=f"task-{number}",
            variant="identity",
            payload=payload,
            media_type="text/plain",
            timeout_s=1.0,
            parameters={"sentences": "3"},
        )
        for number, payload in enumerate(payloads)
    ]


def data_of(outputs: Sequence[Output | EngineError]) -> list[bytes | str]:
    return [each.data if isinstance(each, Output) else each.code for each in outputs]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=40))
def test_a_batch_is_one_tensor_with_an_element_for_each_task(payloads: list[bytes]) -> None:
    head = request_head("identity", (len(payloads), 1))

    request = messages.ModelInferRequest.FromString(batch_bytes(head, calls(payloads)))

    (tensor,) = request.inputs
    assert list(tensor.shape) == [len(payloads), 1]
    assert list(request.raw_input_contents) == [b"".join(map(element, payloads))]
    assert request.parameters["sentences"].int64_param == 3


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=40))
def test_every_task_gets_its_element_back(payloads: list[bytes]) -> None:
    body = response([b"".join(map(element, payloads))], shape=(len(payloads), 1))

    assert data_of(read_outputs(body, len(payloads))) == payloads


def test_every_task_gets_its_row_of_numbers_with_the_shape_of_one() -> None:
    raw = struct.pack("<6f", *range(6))

    first, second = read_outputs(response([raw], datatype="FP32", shape=(2, 3)), 2)

    assert isinstance(first, Output)
    assert isinstance(second, Output)
    assert (first.data, second.data) == (raw[:12], raw[12:])
    assert first.media_type == "application/vnd.pointsman.tensor;datatype=FP32;shape=3"


def test_a_row_that_is_not_finite_spoils_its_own_task_alone() -> None:
    raw = struct.pack("<4f", 1.0, 2.0, float("nan"), 3.0)

    outputs = read_outputs(response([raw], datatype="FP32", shape=(2, 2)), 2)

    assert data_of(outputs) == [raw[:8], "bad_output"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(response([]), id="no content"),
        pytest.param(response([element(b"a")], shape=(1, 1)), id="another number of rows"),
        pytest.param(response([element(b"a") * 2], shape=()), id="no shape"),
        pytest.param(response([element(b"a") * 3], shape=(2, 1)), id="too many elements"),
        pytest.param(response([element(b"a")], shape=(2, 1)), id="too few elements"),
        pytest.param(response([b""], shape=(2, 1)), id="silently empty"),
        pytest.param(response([bytes(9)], datatype="FP32", shape=(2, 1)), id="no equal rows"),
        pytest.param(response([element(b"a") * 2], name="RESULT", shape=(2, 1)), id="another name"),
    ],
)
def test_an_answer_that_cannot_be_taken_apart_is_bad_for_all(body: bytes) -> None:
    with pytest.raises(EngineError) as caught:
        read_outputs(body, 2)

    assert (caught.value.code, caught.value.retryable) == ("bad_output", True)


@pytest.mark.parametrize(("size", "taken"), [(0, 1), (1, 1), (8, 8)])
def test_a_model_says_how_many_tasks_a_call_may_carry(size: int, taken: int) -> None:
    loaded = loaded_model(config(max_batch_size=size))

    assert loaded is not None
    assert loaded.max_batch == taken


def test_a_model_that_streams_takes_one_task_at_a_time() -> None:
    loaded = loaded_model(config(max_batch_size=8, model_transaction_policy={"decoupled": True}))

    assert loaded is not None
    assert loaded.max_batch == 1

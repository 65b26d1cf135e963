"""Signs of life in the answers of a streaming model, as bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.executor.adapters.kserve import loaded_model, messages, request_bytes, request_head
from pointsman.executor.adapters.kserve_signs import (
    MAX_CHECKPOINT_BYTES,
    MAX_NOTE,
    checkpoint_bytes,
    signs_of,
)
from pointsman.executor.adapters.kserve_stream import StreamedAnswer
from pointsman.executor.ports import Checkpoint, EngineError, Progress


def response(**outputs: bytes):  # noqa: ANN201 - a generated message
    made = messages.ModelInferResponse(model_version="1")
    for name, content in outputs.items():
        made.outputs.add(name=name, datatype="BYTES", shape=(1,))
        made.raw_output_contents.append(len(content).to_bytes(4, "little") + content)
    return made


def streamed(*responses: object) -> StreamedAnswer:
    answer = StreamedAnswer()
    for each in responses:
        body = messages.ModelStreamInferResponse(infer_response=each)
        answer.take(body.SerializeToString())
    return answer


def end():  # noqa: ANN201 - a generated message
    made = messages.ModelInferResponse()
    made.parameters["triton_final_response"].bool_param = True
    return made


def configuration(*, checkpoint: bool, optional: bool = True, heartbeat: str = ""):  # noqa: ANN201 - a generated message
    kinds = messages.model__config__pb2
    config = kinds.ModelConfig(name="long")
    config.model_transaction_policy.decoupled = True
    config.input.add(name="INPUT", data_type=kinds.TYPE_STRING, dims=[1])
    if checkpoint:
        config.input.add(
            name="CHECKPOINT", data_type=kinds.TYPE_STRING, dims=[1], optional=optional
        )
    config.output.add(name="OUTPUT", data_type=kinds.TYPE_STRING, dims=[1])
    if heartbeat:
        config.parameters["pointsman.heartbeat_s"].string_value = heartbeat
    return config


@given(st.none() | st.floats(0, 1), st.text(max_size=50), st.binary(max_size=200))
def test_progress_and_checkpoint_are_read_as_they_were_written(
    share: float | None, note: str, data: bytes
) -> None:
    said = {"note": note} if share is None else {"progress": share, "note": note}

    progress, checkpoint = signs_of(response(PROGRESS=json.dumps(said).encode(), CHECKPOINT=data))

    assert isinstance(progress, Progress)
    assert (progress.share, checkpoint) == (share, Checkpoint(data))
    assert signs_of(response(CHECKPOINT=data)) == (Checkpoint(data),)


def test_an_empty_object_says_that_the_model_lives() -> None:
    assert signs_of(response(PROGRESS=b"{}")) == (Progress(),)


def test_a_note_is_one_printable_line() -> None:
    (progress,) = signs_of(response(PROGRESS=json.dumps({"note": "a\nb\x00" * 500}).encode()))

    assert isinstance(progress, Progress)
    assert len(progress.note) == MAX_NOTE
    assert progress.note.isprintable()


@pytest.mark.parametrize(
    "said",
    [
        *(b"", b"half", b"[0.5]", b"\xff"),
        *(b'{"progress":1.5}', b'{"progress":-1}', b'{"progress":"half"}'),
    ],
)
def test_what_is_no_progress_is_a_bad_output(said: bytes) -> None:
    with pytest.raises(EngineError) as refused:
        signs_of(response(PROGRESS=said))

    assert refused.value.code == "bad_output"


def test_a_checkpoint_that_is_too_large_is_refused() -> None:
    with pytest.raises(EngineError) as refused:
        signs_of(response(CHECKPOINT=bytes(MAX_CHECKPOINT_BYTES + 1)))

    assert (refused.value.code, refused.value.retryable) == ("checkpoint_too_large", False)


def test_signs_of_life_are_no_part_of_the_output() -> None:
    said = response(PROGRESS=b'{"progress":0.5}', CHECKPOINT=b"round 1")
    piece = response(PROGRESS=b"{}", OUTPUT=b"done")

    assert streamed(said, said, piece, end()).whole().data == b"done"


def test_a_piece_tells_its_signs_before_its_text() -> None:
    body = messages.ModelStreamInferResponse(
        infer_response=response(OUTPUT=b"text", PROGRESS=b"{}", CHECKPOINT=b"round 1")
    )

    pieces = StreamedAnswer().take(body.SerializeToString())

    assert pieces == (Progress(), Checkpoint(b"round 1"), b"text")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_request_brings_payload_and_checkpoint(payload: bytes, checkpoint: bytes) -> None:
    head = request_head("long", (1,))
    plain = request_bytes(head, "1", payload, {"rounds": "3"})

    read = messages.ModelInferRequest.FromString(plain + checkpoint_bytes(checkpoint))

    assert [tensor.name for tensor in read.inputs] == ["INPUT", "CHECKPOINT"]
    assert [raw[4:] for raw in read.raw_input_contents] == [payload, checkpoint]
    assert read.parameters["rounds"].int64_param == 3


@pytest.mark.parametrize(
    ("heartbeat", "seconds"), [("", 0.0), ("30", 30.0), ("-1", 0.0), ("soon", 0.0), ("inf", 0.0)]
)
def test_a_model_promises_signs_of_life_in_its_configuration(
    heartbeat: str, seconds: float
) -> None:
    model = loaded_model(configuration(checkpoint=True, heartbeat=heartbeat))

    assert model is not None
    assert (model.resumes, model.heartbeat_s) == (True, seconds)


def test_a_model_that_takes_no_checkpoint_is_given_none() -> None:
    model = loaded_model(configuration(checkpoint=False))

    assert model is not None
    assert not model.resumes


def test_a_model_that_insists_on_a_checkpoint_is_not_served() -> None:
    assert loaded_model(configuration(checkpoint=True, optional=False)) is None

"""Commands, leases, queries and their answers keep their form on the wire."""

from collections.abc import Iterator
from types import ModuleType
from typing import Final

import msgspec
import pytest

from pointsman.contracts import (
    bulk,
    canaries,
    commands,
    context,
    degradation,
    endurance,
    feedback,
    forwarding,
    leases,
    parts,
    pool_choice,
    queries,
    recorded,
    resource_monitor,
    schedules,
    steering,
    telemetry,
    token_streams,
)
from pointsman.contracts.commands import decode_answer, decode_answers, encode_answer
from pointsman.contracts.leases import AttemptReport
from pointsman.contracts.message import Message
from pointsman.contracts.recorded import decode_pack, encode_pack
from tests.support.golden_files import (
    golden_documents,
    golden_names,
    half_covered,
    written_fields,
)

MODULES: Final[dict[str, ModuleType]] = {
    "bulk": bulk,
    "canaries": canaries,
    "commands": commands,
    "context": context,
    "degradation": degradation,
    "endurance": endurance,
    "feedback": feedback,
    "forwarding": forwarding,
    "leases": leases,
    "parts": parts,
    "pool_choice": pool_choice,
    "token_streams": token_streams,
    "queries": queries,
    "recorded": recorded,
    "resource_monitor": resource_monitor,
    "schedules": schedules,
    "steering": steering,
    "telemetry": telemetry,
}
ANSWERS: Final = ("Accepted", "Duplicate", "Done", "Rejected", "NotLeader", "Unavailable")


def messages(module: ModuleType) -> dict[str, type[Message]]:
    """Returns the message types that a module defines."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Message)
        and value.__module__ == module.__name__
    }


def goldens() -> Iterator[tuple[str, type[Message], bytes]]:
    for folder, module in MODULES.items():
        for name, type_ in messages(module).items():
            for document in golden_documents(folder, name):
                yield f"{folder}/{name}", type_, document


@pytest.mark.parametrize("folder", MODULES)
def test_every_message_has_a_golden_file_and_every_file_a_message(folder: str) -> None:
    assert golden_names(folder) == set(messages(MODULES[folder]))


@pytest.mark.parametrize(
    ("type_", "golden"), [pytest.param(type_, golden, id=name) for name, type_, golden in goldens()]
)
def test_a_message_is_written_as_it_was_read(type_: type[Message], golden: bytes) -> None:
    message = msgspec.json.decode(golden, type=type_)

    assert msgspec.json.encode(message) == golden


def test_golden_messages_show_every_optional_field_set_and_unset() -> None:
    fields = (
        field
        for _, type_, golden in goldens()
        for field in written_fields(
            msgspec.json.decode(golden, type=type_), msgspec.json.decode(golden)
        )
    )

    assert half_covered(fields) == set()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_tells_its_kind_in_its_status(name: str) -> None:
    for golden in golden_documents("commands", name):
        answer = decode_answer(golden)

        assert type(answer).__name__ == name
        assert encode_answer(answer) == golden


def test_answers_to_a_pack_of_commands_keep_their_order() -> None:
    pack = [golden_documents("commands", name)[0] for name in ANSWERS]

    answers = decode_answers(b"[" + b",".join(pack) + b"]")

    assert [type(answer).__name__ for answer in answers] == list(ANSWERS)


def test_an_answer_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_answer(b'{"status":"postponed"}')


def test_a_report_tells_its_outcome_by_name() -> None:
    documents = golden_documents("leases", "AttemptReport")

    outcomes = [
        str(type(msgspec.json.decode(document, type=AttemptReport).outcome).__name__)
        for document in documents
    ]

    assert set(outcomes) == {
        "RunCompleted",
        "RunSplit",
        "RunFailed",
        "RunTimedOut",
        "RunCancelled",
    }


def test_a_pack_holds_its_events_byte_for_byte() -> None:
    pack = b"[" + b",".join(golden_documents("recorded", "Recorded")) + b"]"

    assert encode_pack(decode_pack(pack)) == pack


def test_an_older_reader_ignores_a_field_of_a_message_that_it_does_not_know() -> None:
    for _, type_, golden in goldens():
        newer = golden[:-1] + (b"," if golden != b"{}" else b"") + b'"added_later":[{}]}'

        assert msgspec.json.decode(newer, type=type_) == msgspec.json.decode(golden, type=type_)

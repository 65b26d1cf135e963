"""Why nobody answered, told from the words of the last try."""

from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.silence import EXIT_CODES, LastTry, Silence, last_try, no_answer, silence_of
from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, CancelTask, Unavailable, decode_answers
from pointsman.runtime.connection import connect
from pointsman.runtime.packing import NoAnswerError, PackedRequests
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.servers import nats_server


@pytest.mark.parametrize(
    ("last", "silence"),
    [
        ("no responders", Silence.UNREACHABLE),
        ("the bus is disconnected", Silence.UNREACHABLE),
        ("unavailable: the log cannot be written", Silence.UNAVAILABLE),
        ("nothing was sent yet", Silence.TIMEOUT),
        ("TimeoutError", Silence.TIMEOUT),
    ],
)
def test_the_last_try_says_why(last: str, silence: Silence) -> None:
    assert silence_of(last) is silence


def test_every_silence_has_an_exit_status_of_its_own() -> None:
    assert set(EXIT_CODES) == set(Silence)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert ExitCode.OK not in EXIT_CODES.values()


def test_what_is_in_the_way_of_a_service_is_told_with_its_own_code_and_way_on() -> None:
    told = Unavailable(
        retry_after_s=1, message="100 % full", code="disk_full", next="free space on the disk"
    )
    unanswered = NoAnswerError("s", waited_s=5, last="unavailable: 100 % full", unavailable=told)

    error = no_answer("s", last_try(unanswered), patience_s=5, log="services.log")

    assert (error.code, error.message) == ("disk_full", "100 % full")
    assert error.next_step == "free space on the disk"
    assert error.exit_code is ExitCode.FAILURE


def test_a_service_that_does_not_say_what_is_in_its_way_is_looked_up_in_its_log() -> None:
    told = Unavailable(retry_after_s=1, message="disk is full")
    unanswered = NoAnswerError("s", waited_s=5, last="unavailable: disk is full", unavailable=told)

    last = last_try(unanswered)
    error = no_answer("s", last, patience_s=5, log="services.log")

    assert last == LastTry("unavailable: disk is full", Silence.UNAVAILABLE)
    assert error.code == "unavailable"
    assert "services.log" in error.next_step


async def test_the_words_are_those_of_the_requests(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        nc = await connect(NatsSettings(url=server.url), name="test", on_fatal=print)
        requests: PackedRequests[CancelTask, Answer] = PackedRequests(
            nc,
            subjects.command("scheduler", "cancel", "main"),
            decode_answers=decode_answers,
            is_not_leader=lambda _: False,
            patience_s=0.2,
        )
        command = CancelTask(command_id="c-1", task=uuid4(), by="ada")

        with pytest.raises(NoAnswerError) as unanswered:
            await requests.ask(command)

        await requests.stop()
        await nc.close()
    assert silence_of(unanswered.value.last) is Silence.UNREACHABLE

"""Why nobody answered, told from the words of the last try."""

from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.silence import EXIT_CODES, Silence, silence_of
from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, CancelTask, decode_answers
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

"""Inputs that do not fit into a message are stored first."""

import asyncio
from pathlib import Path

import pytest

from pointsman.cli import large_inputs
from pointsman.cli.failures import CommandError
from pointsman.cli.large_inputs import SHARD, by_reference
from pointsman.cli.stack.data_directory import blobs
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES, SubmitTask
from pointsman.runtime.blobs import ShardReads, SqliteBlobs


def command(size: int) -> SubmitTask:
    return SubmitTask(command_id="1", tenant="acme", family="summarize", payload=b"x" * size)


async def test_what_fits_is_sent_as_it_is(tmp_path: Path) -> None:
    asked = command(MAX_PAYLOAD_BYTES)

    assert await by_reference(asked, tmp_path) is asked
    assert not blobs(tmp_path).exists()


async def test_what_does_not_fit_is_stored_and_named(tmp_path: Path) -> None:
    asked = command(MAX_PAYLOAD_BYTES + 1)

    sent = await by_reference(asked, tmp_path)

    assert sent.payload is None
    assert sent.payload_ref is not None
    assert (sent.payload_ref.shard, sent.payload_ref.size) == (SHARD, MAX_PAYLOAD_BYTES + 1)
    reads = ShardReads(blobs(tmp_path))
    assert reads.get("acme", sent.payload_ref) == asked.payload
    reads.close()


async def test_two_commands_at_the_same_time_take_turns(tmp_path: Path) -> None:
    sent = await asyncio.gather(
        *(by_reference(command(MAX_PAYLOAD_BYTES + n), tmp_path) for n in range(1, 4))
    )

    assert len({each.payload_ref for each in sent}) == 3


async def test_a_store_that_somebody_keeps_is_given_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_inputs, "_WAIT_S", 0.1)
    other = SqliteBlobs(blobs(tmp_path), SHARD)

    with pytest.raises(CommandError) as caught:
        await by_reference(command(MAX_PAYLOAD_BYTES + 1), tmp_path)

    assert caught.value.code == "input_not_stored"
    await other.close()

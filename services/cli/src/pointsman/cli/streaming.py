"""A task's text and progress on the screen while its model works."""

import asyncio
from typing import Final

import msgspec
from nats.aio.msg import Msg

from pointsman.cli.client import StackClient
from pointsman.cli.documents import document
from pointsman.cli.feed import FeedBell
from pointsman.cli.output import Printer
from pointsman.cli.results import ResultMissingError, read_text
from pointsman.cli.task_rows import wait_for_end
from pointsman.contracts import subjects
from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.queries import TaskRow
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.token_streams import StreamPart

_COMPLETED: Final = TaskState.COMPLETED.value

_decoder: Final = msgspec.json.Decoder(StreamPart)


class GrowingText:
    """Text and progress of a task's latest attempt, as far as its parts have come."""

    def __init__(self) -> None:
        self.attempt = 0
        self.text = ""
        self._told = (0, "")

    def take(self, part: StreamPart) -> str:
        """What is new in a part; parts may be lost, repeated, or of an earlier attempt."""
        if part.attempt < self.attempt:
            return ""
        if part.attempt > self.attempt:
            self.attempt, self.text = part.attempt, ""
        if part.offset > len(self.text):
            # A part was lost; the whole text comes with the result.
            return ""
        new = part.text[len(self.text) - part.offset :]
        self.text += new
        return new

    def progress(self, part: StreamPart) -> str:
        """What a part says about progress in words; nothing when it says what was said before."""
        if part.progress is None and not part.note:
            return ""
        far = "" if part.progress is None else f"{part.progress:.0%}"
        told = (part.attempt, far)
        if far and told == self._told:
            return ""
        self._told = told
        return " ".join(word for word in (far, part.note) if word)

    def rest(self, whole: str) -> str:
        """What has to follow the text so that all of it was shown."""
        return whole.removeprefix(self.text) if whole.startswith(self.text) else f"\n{whole}"


async def show_stream(
    printer: Printer,
    client: StackClient,
    command: SubmitTask,
    pool: str | None = None,
    *,
    timeout_s: float,
) -> TaskRow:
    """Submit a task and print its text until it has ended; raises `CommandError`."""
    bell = FeedBell()
    await bell.listen(client)
    task = (await client.submit(command, pool=pool)).task
    printer.say(f"task {task}")
    growing = GrowingText()

    async def on_part(message: Msg) -> None:
        _show(printer, growing, _decoder.decode(message.data))

    subscription = await client.nc.subscribe(subjects.stream(task), cb=on_part)
    try:
        row = await wait_for_end(client, bell, task, timeout_s=timeout_s, say=printer.say)
        await _show_end(printer, client, growing, row)
    finally:
        await subscription.unsubscribe()
        if not printer.for_people:
            printer.end_stream()
    return row


def _show(printer: Printer, growing: GrowingText, part: StreamPart) -> None:
    if printer.for_people:
        if growing.text and part.attempt > growing.attempt:
            printer.piece("\n")
            printer.say(f"attempt {part.attempt} begins the text anew")
        printer.piece(growing.take(part))
        if progress := growing.progress(part):
            printer.say(progress)
        if part.outcome not in {"", _COMPLETED}:
            printer.piece("\n")
            printer.say(f"attempt {part.attempt} {part.outcome}" + _in_brackets(part.code))
    else:
        printer.stream(document(part), "")


async def _show_end(
    printer: Printer, client: StackClient, growing: GrowingText, row: TaskRow
) -> None:
    whole = None
    if row.result is not None:
        try:
            whole = await asyncio.to_thread(read_text, client.record.data, row.tenant, row.result)
        except ResultMissingError as error:
            printer.say(f"the result cannot be shown: {error}")
    if not printer.for_people:
        printer.stream({**document(row), "result_text": whole}, "")
        return
    if whole is not None:
        printer.piece(growing.rest(whole) + "\n")
    printer.say(f"{row.state}{_in_brackets(row.code)} {row.detail or ''}".rstrip())


def _in_brackets(code: str | None) -> str:
    return f" [{code}]" if code else ""

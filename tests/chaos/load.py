"""Clients of several tenants that send tasks and do not rest until each is answered."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Final
from uuid import UUID

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    CancelTask,
    Duplicate,
    NotLeader,
    Rejected,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.message import Message
from pointsman.runtime.packing import NoAnswerError, PackedRequests
from pointsman.testing.history import Sent
from tests.chaos.pauses import pause

SOURCE: Final = "/chaos"
_HEADERS: Final = {"Content-Type": "application/cloudevents+json"}
_TYPE: Final = "pointsman.task.submit.v1"

_ANSWER_S: Final = 4.0
"""After that the message is sent again, under the same id."""
_STORED_S: Final = 2.0
_RETRY_S: Final = 0.2

_COMMANDS: Final = 0.1
_CANCELLED: Final = 0.05
_CONVERSATIONS: Final = 0.1
_CACHED: Final = 0.05
_TALKS: Final = 20


class Load:
    """Everything that was sent, and what was answered; `start` what sends, then `finish`.

    `inboxes` are logins that may publish tasks of their tenant, `commands` one that may command.
    """

    def __init__(
        self,
        inboxes: dict[str, Client],
        commands: Client,
        pool: str,
        *,
        draws: random.Random,
        run_ms: int = 0,
    ) -> None:
        self.sent: dict[tuple[str, str], Sent] = {}
        self.counts: Counter[str] = Counter()
        self._inboxes = inboxes
        self._draws = draws
        self._run_ms = run_ms
        self._number = 0
        self._waiting: defaultdict[str, list[asyncio.Future[dict[str, Any]]]] = defaultdict(list)
        self._running: set[asyncio.Task[None]] = set()
        self._submissions = _requests(commands, subjects.command("scheduler", "submit", pool))
        self._cancels = _requests(commands, subjects.command("scheduler", "cancel", pool))

    @property
    def unanswered(self) -> int:
        return len(self._running)

    async def listen(self) -> None:
        """Hear answers; before anything is sent."""
        for tenant, nc in self._inboxes.items():
            await nc.subscribe(subjects.answers(tenant), cb=self._on_answer)
            await nc.flush()

    async def keep_sending(self, rate: float, may: Callable[[], bool]) -> None:
        """Send tasks at about `rate` a second while `may` says so; until cancelled."""
        while True:
            if may():
                self.send_one()
            await pause(self._draws.expovariate(rate))

    def send_one(self) -> None:
        """Begin with one task; it is repeated until its answer came."""
        self._number += 1
        tenant = self._draws.choice(sorted(self._inboxes))
        sent = Sent(tenant, f"task-{self._number}", time.time())
        self.sent[tenant, sent.message_id] = sent
        door = self._command if self._draws.random() < _COMMANDS else self._message
        self._spawn(self._life(sent, door, cancelled=self._draws.random() < _CANCELLED))

    async def finish(self) -> None:
        """Return when everything has its answer."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._submissions.stop()
        await self._cancels.stop()

    async def _life(
        self, sent: Sent, door: "Callable[[Sent], Coroutine[Any, Any, None]]", *, cancelled: bool
    ) -> None:
        await door(sent)
        self.counts["answered"] += 1
        if cancelled and sent.tasks:
            await self._cancel(sent.tasks[0])

    async def _message(self, sent: Sent) -> None:
        """As a careful sender does; no `Nats-Msg-Id`, so each repetition reaches the scheduler."""
        body = json.dumps(
            {
                "specversion": "1.0",
                "id": sent.message_id,
                "source": SOURCE,
                "type": _TYPE,
                "data": self._task(sent.message_id),
            }
        ).encode()
        stream = self._inboxes[sent.tenant].jetstream()
        subject = subjects.answer(sent.tenant, sent.message_id)
        while True:
            answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._waiting[subject].append(answer)
            try:
                await stream.publish(
                    subjects.inbox(sent.tenant), body, headers=_HEADERS, timeout=_STORED_S
                )
                sent.stored = True
                async with asyncio.timeout(_ANSWER_S):
                    self._note(sent, await answer)
            except (nats.errors.Error, TimeoutError, OSError) as error:
                self.counts[f"repeated after {type(error).__name__}"] += 1
                await pause(_RETRY_S)
            else:
                return

    async def _command(self, sent: Sent) -> None:
        data = self._task(sent.message_id)
        command = SubmitTask(
            command_id=sent.message_id,
            tenant=sent.tenant,
            family=data["family"],
            payload=data["text"].encode(),
            parameters=data.get("parameters"),
            conversation=data.get("conversation_id"),
            cache=bool(data.get("cache")),
            source=SOURCE,
        )
        match await self._ask(self._submissions, command):
            case Accepted(task=task) | Duplicate(task=task):
                sent.stored = True
                self._note(sent, {"task": str(task)})
            case other:
                self._note(sent, {"status": "rejected"})
                self.counts[f"command: {type(other).__name__}"] += 1

    async def _cancel(self, task: UUID) -> None:
        command = CancelTask(command_id=f"cancel-{task}", task=task, by="chaos", reason="drawn")
        answer = await self._ask(self._cancels, command)
        self.counts["cancel refused" if isinstance(answer, Rejected) else "cancel done"] += 1

    async def _ask(self, requests: PackedRequests[Message, Answer], command: Message) -> Answer:
        while True:
            try:
                return await requests.ask(command)
            except NoAnswerError:
                self.counts["repeated after NoAnswerError"] += 1
            except nats.errors.Error as error:
                self.counts[f"repeated after {type(error).__name__}"] += 1
                await pause(_RETRY_S)

    def _task(self, name: str) -> dict[str, Any]:
        # Drawn from the name: a repetition has to be the same request.
        draws = random.Random(name)
        data: dict[str, Any] = {"family": "identity", "text": f"The text of {name}."}
        if self._run_ms:
            data["parameters"] = {"delay_ms": str(draws.randrange(self._run_ms))}
        if draws.random() < _CONVERSATIONS:
            data["family"] = "summarize"
            data["conversation_id"] = f"talk-{draws.randrange(_TALKS)}"
            data.pop("parameters", None)
        elif draws.random() < _CACHED:
            data["cache"] = True
        return data

    def _note(self, sent: Sent, answer: dict[str, Any]) -> None:
        if sent.answered_at is None:
            sent.answered_at = time.time()
        if answer.get("status") == "rejected":
            sent.refused = True
        elif (task := UUID(answer["task"])) not in sent.tasks:
            sent.tasks.append(task)

    async def _on_answer(self, message: Msg) -> None:
        answer: dict[str, Any] = json.loads(message.data)
        waiting = self._waiting.pop(message.subject, [])
        _, _, tenant, message_id = message.subject.split(".", 3)
        if not waiting and (sent := self.sent.get((tenant, message_id))) is not None:
            # A second answer must say the same.
            self._note(sent, answer)
        for each in waiting:
            if not each.done():
                each.set_result(answer)

    def _spawn(self, work: "Coroutine[Any, Any, None]") -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.counts[f"client failed: {error!r}"] += 1


def _requests(nc: Client, subject: str) -> PackedRequests[Message, Answer]:
    return PackedRequests(
        nc,
        subject,
        decode_answers=decode_answers,
        is_not_leader=lambda answer: isinstance(answer, NotLeader),
    )

"""Send one task from another system, hear the answer, and learn how the task ended.

It needs `nats-py` and nothing of Pointsman's code. Run it beside a stack:

    pointsman up --noop          (in one terminal; without --noop it runs real models)
    python examples/send_task.py .pointsman/stack.json "Some text."

`stack.json` holds the addresses and logins of a local stack. The task belongs to the tenant
`default`; a third argument names another one that `pointsman up --tenant` has made.
"""
# ruff: noqa: INP001, T201 - a script that is copied and run, and speaks on standard output

import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

ENDS = {"completed", "failed", "cancelled", "expired", "shed", "abandoned"}
PATIENCE_S = 60


async def login(stack: dict[str, Any], name: str) -> Client:
    """Connect with an account of the stack."""
    account = stack["accounts"][name]
    return await nats.connect(
        stack["nats_url"],
        user=account["user"],
        password=account["password"],
        # Requests are answered below this subject; no other account may listen there.
        inbox_prefix=account["inbox_prefix"],
    )


async def send(producer: Client, tenant: str, text: str) -> dict[str, Any]:
    """Publish one CloudEvent and return the answer: `accepted`, `duplicate` or `rejected`."""
    event = {
        "specversion": "1.0",
        "id": f"example-{uuid.uuid4()}",
        "source": "/examples/send_task",
        "type": "pointsman.task.submit.v1",
        "data": {"family": "summarize", "text": text},
    }
    # Listen first: an answer is not kept for those who come later.
    answers = await producer.subscribe(f"pm.answer.{tenant}.{event['id']}")
    await producer.flush()
    # Publishing returns when the server has stored the message.
    await producer.jetstream().publish(
        f"pm.inbox.tasks.{tenant}",
        json.dumps(event).encode(),
        headers={"Content-Type": "application/cloudevents+json"},
    )
    answer = await answers.next_msg(timeout=PATIENCE_S)
    return json.loads(answer.data)


async def end_of(task: str, events: "asyncio.Queue[Msg]") -> dict[str, Any]:
    """Return the terminal event of a task, as a CloudEvent."""
    while True:
        message = await events.get()
        headers = message.headers or {}
        if headers["ce-subject"] == task and message.subject.rpartition(".")[2] in ENDS:
            attributes = {
                name.removeprefix("ce-"): value
                for name, value in headers.items()
                if name.startswith("ce-")
            }
            return {**attributes, "data": json.loads(message.data)}


async def main(stack: dict[str, Any], text: str, tenant: str = "default") -> int:
    """Print the answer and the terminal event, one JSON document per line."""
    producer = await login(stack, f"producer-{tenant}")
    observer = await login(stack, "observer")
    events: asyncio.Queue[Msg] = asyncio.Queue()
    try:
        # Also before sending: the task may have ended before its answer arrives.
        await observer.subscribe("pm.evt.task.*", cb=events.put)
        await observer.flush()
        answer = await send(producer, tenant, text)
        print(json.dumps({"answer": answer}))
        if "task" not in answer:
            return 1
        ended = await asyncio.wait_for(end_of(answer["task"], events), PATIENCE_S)
        print(json.dumps({"event": ended}))
        return 0
    finally:
        await producer.close()
        await observer.close()


if __name__ == "__main__":
    where, *rest = sys.argv[1:]
    record = json.loads(Path(where).read_text(encoding="utf-8"))
    sys.exit(asyncio.run(main(record, *rest)))

"""Rate the result of a task from another system, and hear the answer.

It needs `nats-py` and nothing of Pointsman's code. Run it beside a stack, with the id of a task
that has completed (`examples/send_task.py` prints one):

    python examples/send_feedback.py .pointsman/stack.json TASK good
    python examples/send_feedback.py .pointsman/stack.json TASK 0.75 "Right, but too long."

The task belongs to the tenant `default`; a last argument names another one.
"""
# ruff: noqa: INP001, T201 - a script that is copied and run, and speaks on standard output

import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import nats

PATIENCE_S = 60


def rating(task: str, opinion: str, comment: str) -> dict[str, Any]:
    """Describe a rating: `good`, `bad`, or a score from 0 to 1."""
    data: dict[str, Any] = {"task": task, "by": "example"}
    if opinion in {"good", "bad"}:
        data |= {"kind": "boolean", "value": opinion == "good"}
    else:
        data |= {"kind": "score", "value": float(opinion)}
    return data | ({"comment": comment} if comment else {})


async def main(
    stack: dict[str, Any], task: str, opinion: str, comment: str = "", tenant: str = "default"
) -> int:
    """Print the answer: `done` with the id of the rating, or `rejected` with the reason."""
    account = stack["accounts"][f"producer-{tenant}"]
    producer = await nats.connect(
        stack["nats_url"],
        user=account["user"],
        password=account["password"],
        inbox_prefix=account["inbox_prefix"],
    )
    # The same id again is the same rating: repeat it until there is an answer.
    event = {
        "specversion": "1.0",
        "id": f"example-{uuid.uuid4()}",
        "source": "/examples/send_feedback",
        "type": "pointsman.feedback.give.v1",
        "data": rating(task, opinion, comment),
    }
    try:
        # Listen first: an answer is not kept for those who come later.
        answers = await producer.subscribe(f"pm.answer.{tenant}.{event['id']}")
        await producer.flush()
        await producer.jetstream().publish(
            f"pm.inbox.feedback.{tenant}",
            json.dumps(event).encode(),
            headers={"Content-Type": "application/cloudevents+json"},
        )
        answer = json.loads((await answers.next_msg(timeout=PATIENCE_S)).data)
        print(json.dumps({"answer": answer}))
        return 0 if answer["status"] == "done" else 1
    finally:
        await producer.close()


if __name__ == "__main__":
    where, *rest = sys.argv[1:]
    record = json.loads(Path(where).read_text(encoding="utf-8"))
    sys.exit(asyncio.run(main(record, *rest)))

"""Three turns of a conversation, the third of which needs the first."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import msgspec

from pointsman.cli.demo.texts import SourceText, standard_library_texts
from pointsman.cli.services_demo.desk import Desk
from pointsman.contracts.events import ContextAssembled

FAMILY: Final = "summarize"

_TEXTS: Final = 120
_MOST_CHARS: Final = 1_400
_BUDGET_SLACK_TOKENS: Final = 40
_CHARS_PER_TOKEN: Final = 4
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_TURN_S: Final = 10.0
_SHARED_WORDS: Final = 8
"""So many in a row are no coincidence."""

_assembled: Final = msgspec.json.Decoder(ContextAssembled)


@dataclass(frozen=True, slots=True)
class Talk:
    """What the conversation came to."""

    name: str
    third: UUID
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    reused: bool
    """The third answer holds words that only the first turn had said."""
    shared: str
    """Those words."""
    why: str


async def hold_conversation(desk: Desk) -> Talk:
    """Raises `CommandError`."""
    first, second = _two_texts()
    name = f"demo-{uuid4().hex[:8]}"
    question = f"Once more about {first.name}. {_SENTENCE.split(first.text)[0]}"
    # Room for the first turn with its answer, not for both.
    budget = (len(first.text) * 2 + len(question)) // _CHARS_PER_TOKEN + _BUDGET_SLACK_TOKENS
    for turn, text in enumerate((first.text, second.text), start=1):
        task = await desk.submit(FAMILY, text, conversation=name, context_tokens=budget)
        await desk.completed(task)
        await desk.log.until(
            lambda turn=turn: _turns(desk) >= turn, timeout_s=_TURN_S, what="a turn of its task"
        )
    third = await desk.submit(FAMILY, question, conversation=name, context_tokens=budget)
    done = await desk.completed(third)
    assembled = _assembly_of(desk, third)
    answer = await asyncio.to_thread(desk.text, done.result)
    shared = _only_in(first.text, answer, question)
    return Talk(
        name=name,
        third=third,
        kept=tuple(item.turn for item in assembled.kept) if assembled else (),
        dropped=tuple(item.turn for item in assembled.dropped) if assembled else (),
        reused=assembled is not None and any(i.turn == 1 for i in assembled.kept) and bool(shared),
        shared=shared,
        why=await desk.why(third),
    )


def _two_texts() -> tuple[SourceText, SourceText]:
    """Two texts about different things, short enough for a budget."""
    fitting = [t for t in standard_library_texts(_TEXTS) if len(t.text) <= _MOST_CHARS]
    return fitting[0], fitting[-1]


def _turns(desk: Desk) -> int:
    return sum(event.type == "conversation.turn_appended.v1" for event in desk.log.events)


def _assembly_of(desk: Desk, task: UUID) -> ContextAssembled | None:
    for event in desk.log.events:
        if event.type == "context.assembled.v1":
            assembled = _assembled.decode(event.data)
            if assembled.task == str(task):
                return assembled
    return None


def _only_in(earlier: str, answer: str, question: str) -> str:
    """Words of the answer that stand together in the earlier text and not in the question."""
    said, asked, words = _flat(earlier), _flat(question), _flat(answer).split()
    for start in range(len(words) - _SHARED_WORDS + 1):
        shared = " ".join(words[start : start + _SHARED_WORDS])
        if shared in said and shared not in asked:
            return shared
    return ""


def _flat(text: str) -> str:
    return " ".join(text.split()).lower()

"""How a context reads: earlier turns, then the input. The same turns give the same bytes."""

from collections.abc import Callable, Iterable, Sequence

from pointsman.context.domain.conversation import Turn
from pointsman.contracts.events import ContextAssembled
from pointsman.contracts.message import BlobRef


def block(earlier_input: str, earlier_result: str) -> str:
    """An earlier turn as it stands in a payload."""
    return f"Earlier: {earlier_input}\nAnswer: {earlier_result}\n\n"


def payload(blocks: Iterable[str], task_input: str) -> bytes:
    """What a task runs on."""
    return ("".join(blocks) + task_input).encode()


def rebuilt(
    assembled: ContextAssembled,
    turns: Sequence[Turn],
    task_input: BlobRef,
    words: Callable[[BlobRef], str],
) -> bytes:
    """The payload of a recorded assembly again.

    `turns` are those of its conversation, folded up to `conversation_version` or further; `words`
    gives the text of a content. Raises what `words` raises.
    """
    kept = (turns[item.turn - 1] for item in assembled.kept)
    return payload(
        (block(words(turn.input), words(turn.result)) for turn in kept), words(task_input)
    )


def references(
    assembled: ContextAssembled, turns: Sequence[Turn], task_input: BlobRef
) -> list[BlobRef]:
    """The contents that `rebuilt` asks for."""
    kept = [turns[item.turn - 1] for item in assembled.kept]
    return [ref for turn in kept for ref in (turn.input, turn.result)] + [task_input]

"""What a service of ours said of its own end, in the last lines of its log."""

import json
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class LastWords:
    """An error that the service knew: what it is, its stable code, and who acts how."""

    error: str
    code: str
    next_step: str


def last_words(tail: str) -> LastWords | None:
    """The line `failed` of a log's end, None when the end came without one or was a defect."""
    for line in reversed(tail.splitlines()):
        try:
            said = cast("object", json.loads(line))
        except ValueError:
            continue
        if isinstance(said, dict):
            words = cast("dict[str, object]", said)
            if words.get("event") == "failed" and words.get("next_step"):
                return LastWords(str(words["error"]), str(words["code"]), str(words["next_step"]))
    return None

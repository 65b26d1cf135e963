"""Pages, and parts of pages, that are generated from code; ``./dev docs`` writes them again.

A page marks the place with ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``, each on a
line of its own; everything between the two is replaced.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pointsman.contracts import task_states
from pointsman.degradation.domain import ladder
from tests.architecture import asyncapi, message_tables
from tests.architecture.source_tree import ROOT


def task_diagram() -> str:
    return f"```mermaid\n{task_states.diagram()}```"


def ladder_diagram() -> str:
    return f"```mermaid\n{ladder.diagram()}```"


_MESSAGES: Final = ROOT / "docs" / "messages.md"

# One entry per marked place: (page, name) and what stands there.
GENERATED: Mapping[tuple[Path, str], Callable[[], str]] = {
    (ROOT / "ARCHITECTURE.md", "life of a task"): task_diagram,
    (ROOT / "ARCHITECTURE.md", "ladder"): ladder_diagram,
    (_MESSAGES, "inboxes"): message_tables.inbox_tables,
    (_MESSAGES, "events"): message_tables.event_tables,
    (_MESSAGES, "subjects"): message_tables.subject_table,
    (_MESSAGES, "types"): message_tables.type_tables,
}

# Whole files.
DOCUMENTS: Mapping[Path, Callable[[], str]] = {ROOT / "docs" / "asyncapi.json": asyncapi.text}


def generated(page: str, name: str, text: str) -> str:
    """Returns the page with the text in its marked place.

    Raises:
        LookupError: The page has no such place, or more than one.
    """
    start, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
    place = re.compile(rf"(?<={re.escape(start)}\n).*?(?={re.escape(end)})", re.DOTALL)
    result, places = place.subn(lambda _: f"\n{text}\n\n", page)
    if places != 1:
        raise LookupError(f"{places} places for '{name}'; put '{start}' and '{end}' there once")
    return result


def main() -> None:
    for (path, name), text in GENERATED.items():
        page = path.read_text(encoding="utf-8")
        path.write_text(generated(page, name, text()), encoding="utf-8")
    for path, text in DOCUMENTS.items():
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()

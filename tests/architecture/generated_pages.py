"""Parts of pages that are generated from code; ``./dev docs`` writes them again.

A page marks the place with ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``, each on a
line of its own; everything between the two is replaced.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pointsman.contracts import task_states
from tests.architecture.source_tree import ROOT


def task_diagram() -> str:
    return f"```mermaid\n{task_states.diagram()}```"


# One entry per marked place: (page, name) and what stands there.
GENERATED: Mapping[tuple[Path, str], Callable[[], str]] = {
    (ROOT / "ARCHITECTURE.md", "life of a task"): task_diagram,
}


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


if __name__ == "__main__":
    main()

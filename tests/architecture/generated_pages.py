"""Parts of pages that are generated from code; ``./dev docs`` writes them again.

A page marks the place with ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``, each on a
line of its own; everything between the two is replaced.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import msgspec

from pointsman.contracts import task_states, topics
from pointsman.contracts.events import Decision
from tests.architecture.source_tree import ROOT


def task_diagram() -> str:
    return f"```mermaid\n{task_states.diagram()}```"


def event_tables() -> str:
    return "\n\n".join(_event_table(topic, type_) for topic, type_ in topics.TOPICS.items())


def _event_table(topic: str, type_: type[Decision]) -> str:
    rows = [
        f"| `{field.encode_name}` | {_type_name(field.type)} | {'yes' if field.required else ''} |"
        for field in msgspec.structs.fields(type_)
    ]
    summary = inspect.cleandoc(type_.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return "\n".join(
        [f"### `{topic}`", "", summary, "", "| field | type | required |", "|---|---|---|", *rows]
    )


def _type_name(type_: object) -> str:
    name = type_.__name__ if inspect.isclass(type_) and not get_args(type_) else str(type_)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", name).replace("|", "or")


# One entry per marked place: (page, name) and what stands there.
GENERATED: Mapping[tuple[Path, str], Callable[[], str]] = {
    (ROOT / "ARCHITECTURE.md", "life of a task"): task_diagram,
    (ROOT / "docs" / "messages.md", "events"): event_tables,
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

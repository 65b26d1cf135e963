"""Whether every view is what the log alone makes of it."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from pointsman.context.adapters.context_view import ContextProjection
from pointsman.context.settings import Settings as ContextSettings
from pointsman.contracts.recorded import Recorded
from pointsman.degradation.adapters.surroundings_projection import SurroundingsProjection
from pointsman.eventstore.projections import Projection, view_path
from pointsman.eventstore.reading import concerns
from pointsman.eventstore.view_file import ViewFile
from pointsman.feedback.adapters.task_view import TaskProjection as FeedbackTasks
from pointsman.resource_monitor.adapters.task_projection import TaskProjection as MonitorTasks
from pointsman.scheduler.adapters.dead_letter_view import DeadLetterProjection
from pointsman.scheduler.adapters.task_view import TaskProjection as SchedulerTasks
from tests.chaos.log import LogPlace

Rows = dict[str, list[tuple[object, ...]]]

_PAGE: Final = 5000


def projections() -> Sequence[Projection]:
    """A new one of each that a service keeps."""
    responses = ContextSettings.model_fields["context_responses"].default
    return (
        SchedulerTasks(),
        DeadLetterProjection(),
        MonitorTasks(),
        SurroundingsProjection(),
        FeedbackTasks(),
        ContextProjection(int(responses)),
    )


def unequal_views(data: Path, log: LogPlace, work: Path) -> tuple[str, ...]:
    """Views whose rows are not those of a rebuild; their services may be running.

    Each is copied first and then given, by the same code, what the log holds behind its position.
    A standby has views of its own. `work` is a new folder for copies and rebuilds.
    """
    kept: list[tuple[Projection, Path, str]] = []
    for path in sorted(data.glob("**/views/*.db")):
        for projection in projections():
            if path.stem == projection.name:
                copy = work / f"kept-{len(kept)}"
                _copy(path, view_path(copy, path.stem))
                kept.append((projection, copy, str(path.relative_to(data))))
    head = log.head()
    rebuilt = {
        projection.name: _rows(work / "rebuilt", projection, log, head)
        for projection in projections()
    }
    missing = rebuilt.keys() - {projection.name for projection, _, _ in kept}
    unequal = [
        name
        for projection, copy, name in kept
        if _rows(copy, projection, log, head) != rebuilt[projection.name]
    ]
    return (*unequal, *(f"{name} is missing" for name in sorted(missing)))


def _copy(view: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with (
        closing(sqlite3.connect(f"file:{view}?mode=ro", uri=True, timeout=5)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _rows(data: Path, projection: Projection, log: LogPlace, head: int) -> Rows:
    view = ViewFile(view_path(data, projection.name), projection)
    concern = concerns(projection.topics)
    page: list[Recorded] = []

    def take(upto: int) -> None:
        stopped = view.apply(page, upto)
        assert stopped is None, stopped
        page.clear()

    for event in log.read(view.position):
        if event.position > head:
            break
        if concern(event.type):
            page.append(event)
        if len(page) >= _PAGE:
            take(event.position)
    take(head)
    view.close()
    return _tables(view_path(data, projection.name))


def _tables(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as db:
        names = [
            str(name)
            for (name,) in db.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table'"
                " AND name NOT LIKE 'sqlite_%' AND name <> 'projection'"
            )
        ]
        return {
            name: sorted(db.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608 - our own names
            for name in names
        }

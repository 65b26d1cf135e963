"""Who watches a long log being read sees how far it is; a short one is read before anybody asks."""

from io import StringIO
from typing import Final

from pointsman.time_machine.progress import Progress, progress_on
from tests.support.busy_day import busy_day
from tests.support.log_rows import rows_of

PAGES: Final = [[row] for row in rows_of(busy_day(1, 20).history.entries)[:4]]
XTERM: Final = {"TERM": "xterm"}


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Goes on by so much whenever it is read."""

    def __init__(self, step_s: float) -> None:
        self._now, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        self._now += self._step_s
        return self._now


def test_a_long_log_says_how_far_it_is_and_leaves_the_line_empty() -> None:
    terminal = Terminal()
    progress = Progress(8, terminal, clock=Clock(2.0))

    assert list(progress.of(PAGES)) == PAGES
    progress.end()

    assert terminal.getvalue().startswith("\r1 of 8 events read (12%)\x1b[K\r2 of 8")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_short_log_says_nothing() -> None:
    terminal = Terminal()
    progress = Progress(8, terminal, clock=Clock(0.01))

    assert list(progress.of(PAGES)) == PAGES
    progress.end()

    assert not terminal.getvalue()


def test_only_a_terminal_that_can_write_a_line_again_is_told() -> None:
    file, terminal, dumb = StringIO(), Terminal(), Terminal()
    for stream, environment in ((file, XTERM), (terminal, XTERM), (dumb, {"TERM": "dumb"})):
        progress = progress_on(stream, 8, environment=environment, clock=Clock(2.0))

        assert list(progress.of(PAGES)) == PAGES

    assert not file.getvalue()
    assert not dumb.getvalue()
    assert terminal.getvalue()

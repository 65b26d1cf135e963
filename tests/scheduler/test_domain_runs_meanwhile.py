"""Whether a limit was used up while a task waited: the least that the log tells of."""

from math import inf
from uuid import UUID

from hypothesis import given as for_all
from hypothesis import strategies as st

from pointsman.scheduler.domain.why.runs import Run, RunEvent, reached_at, runs_of
from tests.support.scheduling import A, B, C


def grant(task: UUID, at: float, variant: str = "fast") -> RunEvent:
    return RunEvent(task, at, "acme", variant, begins=True, ran=False)


def end(task: UUID, at: float, *, ran: bool = True) -> RunEvent:
    return RunEvent(task, at, "acme", "", begins=False, ran=ran)


def test_a_run_lasts_from_its_grant_to_its_end() -> None:
    assert runs_of([grant(A, 1.0), end(A, 5.0)]) == (Run(1.0, 5.0, "acme", "fast"),)


def test_what_was_granted_before_or_ends_later_is_open_on_that_side() -> None:
    runs = runs_of([end(A, 5.0), grant(B, 6.0)])

    assert runs == (Run(-inf, 5.0, "acme", ""), Run(6.0, inf, "acme", "fast"))


def test_the_end_of_a_task_that_did_not_run_is_no_run() -> None:
    assert runs_of([end(A, 5.0, ran=False)]) == ()


def test_a_failed_attempt_with_the_end_of_its_task_is_one_run() -> None:
    assert len(runs_of([grant(A, 1.0), end(A, 5.0), end(A, 5.0, ran=False)])) == 1


def test_a_limit_is_reached_when_the_last_of_them_begins() -> None:
    runs = runs_of([grant(A, 1.0), grant(B, 3.0), end(A, 5.0), grant(C, 6.0)])

    assert reached_at(runs, 2, 0.0, 10.0) == 3.0
    assert reached_at(runs, 3, 0.0, 10.0) is None
    assert reached_at(runs, 2, 0.0, 2.0) is None
    assert reached_at(runs, 1, 2.0, 10.0) == 2.0


@for_all(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=8),
    st.integers(1, 4),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_it_is_the_first_moment_with_so_many(
    spans: list[tuple[int, int]], most: int, since: int, lasts: int
) -> None:
    runs = [Run(at, at + runs_s, "acme", "fast") for at, runs_s in spans]

    found = reached_at(runs, most, since, since + lasts)

    moments = range(since, since + lasts + 1)
    counts = (sum(r.since <= at < r.until for r in runs) >= most for at in moments)
    first = next((at for at, enough in zip(moments, counts, strict=True) if enough), None)
    assert found == first

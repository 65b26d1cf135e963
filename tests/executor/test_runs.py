"""The table of attempts: what an order means, whatever came before it."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.leases import AttemptReport, Lease, RunCancelled, RunTimedOut
from pointsman.contracts.message import BlobRef
from pointsman.executor.holding.runs import Key, Runs, Taken
from tests.executor.fakes import grant, lease, task_id

PAYLOAD = BlobRef(digest="0" * 64, size=1, media_type="text/plain")


def ended(task: int = 1, attempt: int = 1) -> AttemptReport:
    return AttemptReport(
        executor="executor-1",
        incarnation="incarnation-1",
        device="cpu-0",
        task=task_id(task),
        attempt=attempt,
        outcome=RunTimedOut(run_s=1.0),
    )


def test_a_repeated_grant_is_not_run_twice() -> None:
    runs = Runs[AttemptReport]()

    taken = [runs.take(grant(PAYLOAD)) for _ in range(2)]

    assert taken == [Taken.RUN, Taken.KNOWN]


def test_a_grant_of_an_attempt_whose_report_is_on_the_way_changes_nothing() -> None:
    runs = Runs[AttemptReport]()
    runs.take(grant(PAYLOAD))
    runs.ended(ended())

    assert runs.take(grant(PAYLOAD)) is Taken.KNOWN


def test_another_attempt_of_the_same_task_is_another_run() -> None:
    runs = Runs[AttemptReport]()
    runs.take(grant(PAYLOAD, attempt=1))

    assert runs.take(grant(PAYLOAD, attempt=2)) is Taken.RUN


def test_a_grant_of_a_finished_attempt_reports_its_old_outcome_again() -> None:
    runs = Runs[AttemptReport]()
    runs.take(grant(PAYLOAD))
    runs.ended(ended())
    runs.answered((task_id(1), 1))

    taken = runs.take(grant(PAYLOAD))

    assert taken is Taken.REPORT
    assert runs.report_of(grant(PAYLOAD)) == ended()


def test_a_lease_is_renewed_until_its_report_is_answered() -> None:
    runs = Runs[AttemptReport]()
    runs.take(grant(PAYLOAD))
    while_running = list(runs.leases())
    runs.ended(ended())
    while_reporting = list(runs.leases())
    runs.answered((task_id(1), 1))

    assert while_running == while_reporting == [lease()]
    assert list(runs.leases()) == []


def test_orders_of_an_earlier_epoch_do_not_count() -> None:
    runs = Runs[AttemptReport]()

    assert [runs.admits(epoch) for epoch in (3, 3, 2, 4, 3)] == [True, True, False, True, False]


def test_a_cancellation_that_overtook_its_grant_is_not_forgotten() -> None:
    runs = Runs[AttemptReport]()
    runs.cancel(lease())

    assert runs.take(grant(PAYLOAD)) is Taken.STOP


def test_a_cancellation_before_the_call_has_begun_reaches_it() -> None:
    runs = Runs[AttemptReport]()
    runs.take(grant(PAYLOAD))
    runs.cancel(lease())

    began = runs.stoppable((task_id(1), 1), lambda: None)

    assert not began


def test_a_cancellation_after_the_engine_has_answered_comes_too_late() -> None:
    runs = Runs[AttemptReport]()
    key = (task_id(1), 1)
    stops: list[str] = []
    runs.take(grant(PAYLOAD))
    runs.stoppable(key, lambda: stops.append("stopped"))
    runs.past_stopping(key)

    runs.cancel(lease())

    assert stops == []
    assert not runs.stopped(key)


def test_only_the_newest_finished_attempts_are_remembered() -> None:
    runs = Runs[AttemptReport](remembered=2)
    for number in (1, 2, 3):
        runs.take(grant(PAYLOAD, task=number))
        runs.ended(ended(number))
        runs.answered((task_id(number), 1))

    assert runs.take(grant(PAYLOAD, task=1)) is Taken.RUN
    assert runs.take(grant(PAYLOAD, task=3)) is Taken.REPORT


@dataclass
class Replay:
    """Plays steps against the table as the holder does, and counts what an attempt went through."""

    runs: Runs[AttemptReport] = field(default_factory=Runs[AttemptReport])
    ran: dict[Key, int] = field(default_factory=dict[Key, int])
    reporting: set[Key] = field(default_factory=set[Key])
    running: set[Key] = field(default_factory=set[Key])
    stops: list[Key] = field(default_factory=list[Key])

    def grant(self, key: Key) -> None:
        match self.runs.take(grant(PAYLOAD, task=key[0].int, attempt=key[1])):
            case Taken.RUN:
                self.ran[key] = self.ran.get(key, 0) + 1
                self.running.add(key)
                self.runs.stoppable(key, lambda: self.stops.append(key))
            case Taken.STOP:
                self.running.add(key)
                self.end(key)
            case Taken.REPORT:
                assert key not in self.reporting
                self.reporting.add(key)
            case Taken.KNOWN:
                assert key in self.running | self.reporting

    def cancel(self, key: Key) -> None:
        self.runs.cancel(Lease(task=key[0], attempt=key[1]))

    def end(self, key: Key) -> None:
        if key in self.running:
            self.running.remove(key)
            self.reporting.add(key)
            report = ended(key[0].int, key[1])
            self.runs.ended(
                AttemptReport(
                    executor=report.executor,
                    incarnation=report.incarnation,
                    device=report.device,
                    task=key[0],
                    attempt=key[1],
                    outcome=RunCancelled(),
                )
            )

    def answer(self, key: Key) -> None:
        if key in self.reporting:
            self.reporting.remove(key)
            self.runs.answered(key)


# Few attempts and long histories, so that they meet.
KEYS = st.sampled_from([(task_id(1), 1), (task_id(1), 2)])
STEPS = st.lists(
    st.tuples(st.sampled_from(["grant", "cancel", "end", "answer"]), KEYS), min_size=8, max_size=40
)


@given(STEPS)
def test_no_sequence_of_orders_runs_an_attempt_twice_or_forgets_one(
    steps: list[tuple[str, Key]],
) -> None:
    replay = Replay()

    for step, key in steps:
        getattr(replay, step)(key)

    held = {(lease.task, lease.attempt) for lease in replay.runs.leases()}
    assert held == replay.running | replay.reporting
    assert all(count == 1 for count in replay.ran.values())
    assert len(set(replay.stops)) == len(replay.stops)

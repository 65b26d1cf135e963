"""When work went on after a fault."""

from uuid import uuid4

from pointsman.testing.history import Sent
from tests.chaos.recovery import NOT_RECOVERED_S, Outage, Recoveries, figures, quantile


def an_outage(name: str = "kill nats", *, at: float = 100.0) -> Outage:
    return Outage(number=1, name=name, kills=1, at=at, pids={})


def sent(message_id: str, at: float) -> Sent:
    return Sent("acme", message_id, at, at + 0.1, [uuid4()], stored=True)


def test_the_first_completion_of_a_task_that_was_sent_after_the_fault_counts() -> None:
    before, after = sent("before", 99.0), sent("after", 101.0)
    recoveries = Recoveries({(each.tenant, each.message_id): each for each in (before, after)})
    outage = an_outage()
    completed = recoveries.begin(outage)

    recoveries.on_completed(("acme", "before"), 102.0)
    assert not completed.is_set()
    recoveries.on_completed(("acme", "after"), 103.5)
    recoveries.on_completed(("acme", "after"), 110.0)

    assert completed.is_set()
    assert outage.completed_s == 3.5


def test_what_never_recovered_is_listed_and_counts_as_the_longest_time() -> None:
    recoveries = Recoveries({})
    outage = an_outage()
    recoveries.begin(outage)

    assert recoveries.not_recovered() == [outage]
    assert figures([outage])["kill nats"].completed_max_s == NOT_RECOVERED_S


def test_figures_are_given_by_kind_and_over_all() -> None:
    outages = [an_outage(name) for name in ("kill nats", "kill nats", "kill postgres")]
    for seconds, outage in zip((1.0, 3.0, 8.0), outages, strict=True):
        outage.completed_s, outage.answered_s = seconds, seconds / 2

    found = figures(outages)

    assert set(found) == {"all", "kill nats", "kill postgres"}
    assert (found["all"].number, found["all"].kills, found["all"].completed_max_s) == (3, 3, 8.0)
    assert (found["kill nats"].completed_p50_s, found["kill nats"].answered_max_s) == (2.0, 1.5)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    values = [float(n) for n in range(1, 101)]

    assert quantile(values, 0.99) == 99
    assert quantile(values, 0.5) == 50
    assert quantile([4.0], 0.99) == 4.0

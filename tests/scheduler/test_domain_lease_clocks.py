"""Who is absent: executors that were silent for a lease's life while they could be heard."""

from uuid import UUID

from msgspec.structs import replace

from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.leases import LEASE_TTL_S, Lease, Renewal
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from tests.support.scheduling import A, B

ALL = ("executor-1", "executor-2")
START = 5_000.0
"""Monotonic clocks start anywhere."""


def renewal(executor: str, *tasks: UUID) -> Renewal:
    return Renewal(
        pool="main",
        executor=executor,
        incarnation="first",
        leases=tuple(Lease(task=task, attempt=1) for task in tasks),
    )


def test_silence_is_absence_only_after_a_full_lease() -> None:
    clocks = LeaseClocks(now=START)
    clocks.heard("executor-1", now=START + 2)

    assert clocks.absent(ALL, now=START + LEASE_TTL_S) == []
    assert clocks.absent(ALL, now=START + LEASE_TTL_S + 1) == ["executor-2"]
    assert clocks.absent(ALL, now=START + 2 + LEASE_TTL_S + 1) == list(ALL)


def test_a_renewal_is_a_sign_of_life() -> None:
    clocks = LeaseClocks(now=START)

    clocks.renewed(renewal("executor-1"), now=START + 9)

    assert clocks.absent(ALL, now=START + 15) == ["executor-2"]


def test_progress_is_what_the_last_renewal_said() -> None:
    clocks = LeaseClocks(now=START)
    half, whole = (AttemptProgress(task=A, attempt=2, progress=share) for share in (0.5, 1.0))

    clocks.renewed(replace(renewal("executor-1", A), progress=(half,)), now=START)
    clocks.renewed(replace(renewal("executor-1", A), progress=(whole,)), now=START + 3)

    assert clocks.progress("executor-1", A, 2) == whole
    assert clocks.progress("executor-1", A, 1) is None
    assert clocks.progress("executor-2", A, 2) is None
    clocks.renewed(renewal("executor-1", A), now=START + 6)
    assert clocks.progress("executor-1", A, 2) is None


def test_two_lost_renewals_are_no_absence() -> None:
    clocks = LeaseClocks(now=START)
    for second in (0, 9, 18):
        clocks.renewed(renewal("executor-1"), now=START + second)

        assert clocks.absent(["executor-1"], now=START + second + 9) == []


def test_a_new_leader_gives_every_lease_a_full_life() -> None:
    assert LeaseClocks(now=START).absent(ALL, now=START + LEASE_TTL_S) == []


def test_time_stands_still_while_nobody_can_be_heard() -> None:
    clocks = LeaseClocks(now=START)
    clocks.heard("executor-1", now=START)
    clocks.pause("bus")

    assert clocks.absent(ALL, now=START + 3600) == []

    clocks.resume("bus", now=START + 3600)
    assert clocks.absent(ALL, now=START + 3600 + LEASE_TTL_S) == []
    assert clocks.absent(ALL, now=START + 3600 + LEASE_TTL_S + 1) == list(ALL)


def test_time_stands_still_until_every_reason_is_gone() -> None:
    clocks = LeaseClocks(now=START)
    clocks.pause("bus")
    clocks.pause("log")

    clocks.resume("log", now=START + 5)

    assert clocks.absent(ALL, now=START + 100) == []
    clocks.resume("bus", now=START + 100)
    assert clocks.absent(ALL, now=START + 111) == list(ALL)


def test_a_renewal_lists_everything_that_is_held() -> None:
    clocks = LeaseClocks(now=START)
    clocks.renewed(renewal("executor-1", A, B), now=START)

    assert clocks.holds("executor-1", A, 1)
    assert not clocks.holds("executor-1", A, 2)
    assert not clocks.holds("executor-2", A, 1)

    clocks.renewed(renewal("executor-1", B), now=START + 3)
    assert not clocks.holds("executor-1", A, 1)


def test_a_lease_that_was_just_granted_is_given_time_to_arrive() -> None:
    assert not LeaseClocks.resend_due(0.5)
    assert LeaseClocks.resend_due(1.5)


def test_a_reason_that_was_not_there_prolongs_no_lease() -> None:
    clocks = LeaseClocks(now=START)

    clocks.resume("log", now=START + 9)

    assert clocks.absent(ALL, now=START + LEASE_TTL_S + 1) == list(ALL)


def test_who_turns_out_to_have_been_deaf_gives_every_lease_a_full_life() -> None:
    clocks = LeaseClocks(now=START)

    clocks.deaf_until(START + 3600)

    assert clocks.absent(ALL, now=START + 3600 + LEASE_TTL_S) == []
    assert clocks.absent(ALL, now=START + 3600 + LEASE_TTL_S + 1) == list(ALL)

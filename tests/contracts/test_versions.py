"""Versions of events: older ones are read for ever, a new one is written when it is switched on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.topics import (
    DOWNCASTERS,
    TOPICS,
    UPCASTERS,
    EventCodec,
    NotSwitchableError,
    version_of,
)
from tests.support.golden_files import golden_documents
from tests.support.releases import (
    V1,
    V2,
    CancelledByKind,
    cancelled_now,
    cancelled_then,
    new_release,
    next_release,
    old_release,
)


def test_a_new_version_is_written_as_the_one_before_until_it_is_switched_on() -> None:
    written = new_release().written(cancelled_now())

    assert written.topic == V1
    assert old_release().decode(written.topic, written.state) == cancelled_then()


def test_a_new_version_is_written_once_it_is_switched_on() -> None:
    written = new_release(V2).written(cancelled_now("T-7"))

    assert (written.topic, written.event) == (V2, cancelled_now("T-7"))
    assert new_release().decode(V2, written.state) == cancelled_now("T-7")


def test_the_release_after_that_needs_no_switch() -> None:
    assert next_release().written(cancelled_now()).topic == V2


def test_the_writer_goes_on_with_what_every_reader_will_make_of_its_event() -> None:
    """Otherwise its memory would hold more than a fold of the log gives."""
    written = new_release().written(cancelled_now("T-7"))

    assert written.event == cancelled_now(ticket="")
    assert written.event == new_release().decode(written.topic, written.state)


@given(name=st.text(), reason=st.text(), attempt=st.integers(0, 10), ticket=st.text())
def test_memory_is_the_fold_of_the_log_in_every_version(
    name: str, reason: str, attempt: int, ticket: str
) -> None:
    event = CancelledByKind(
        at=1.0, applied_to=1, kind="user", name=name, reason=reason, attempt=attempt, ticket=ticket
    )

    for release in (new_release(), new_release(V2), next_release()):
        written = release.written(event)
        assert release.decode(written.topic, written.state) == written.event


def test_what_is_switched_on_may_stay_so_in_later_releases() -> None:
    assert EventCodec(switched_on=[V1]).written(cancelled_then()).topic == V1


def test_a_version_that_nobody_knows_cannot_be_switched_on() -> None:
    with pytest.raises(NotSwitchableError, match=V2) as refused:
        EventCodec(switched_on=[V2])

    assert refused.value.code == "version_not_known"
    assert "Upgrade this service first" in refused.value.next_step


def test_a_reader_of_topics_asks_for_older_and_for_later_versions_of_them() -> None:
    versions = new_release().versions([V2])

    assert {V1, V2, "task.cancelled.v3"} <= versions
    assert {version_of(topic)[0] for topic in versions} == {"task.cancelled"}


def test_no_version_between_the_first_and_the_newest_is_missing() -> None:
    released: dict[str, list[int]] = {}
    for topic in (*TOPICS, *UPCASTERS):
        name, version = version_of(topic)
        released.setdefault(name, []).append(version)

    for name, versions in released.items():
        assert sorted(versions) == list(range(1, len(versions) + 1)), name


def test_every_old_version_leads_to_the_next_one_of_its_topic() -> None:
    for old, (new, _) in UPCASTERS.items():
        name, version = version_of(old)
        assert new == f"{name}.v{version + 1}"


def test_a_version_that_waits_for_its_switch_can_be_written_as_the_one_before() -> None:
    codec = EventCodec()
    for new, (old, _) in DOWNCASTERS.items():
        assert UPCASTERS[old][0] == new
        for golden in golden_documents("events", new):
            written = codec.written(codec.decode(new, golden))
            assert codec.decode(written.topic, written.state) == written.event

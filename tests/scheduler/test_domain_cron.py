"""When cron expressions are due, compared with a clock that is looked at every minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.schedules import MOST_COUNTED
from pointsman.scheduler.domain.schedules.cron import Cron, CronError

BERLIN = "Europe/Berlin"
DAY_S = 86_400.0


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def local(moments: list[float], zone: str) -> list[str]:
    return [f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%d %H:%M %z}" for moment in moments]


def due(expression: str, zone: str, after: str, upto: str) -> list[str]:
    """Local due times after a local time."""
    end = at(upto, zone)
    found: list[float] = []
    for moment in Cron(expression, zone).after(at(after, zone)):
        if moment > end:
            break
        found.append(moment)
    return local(found, zone)


minutes = st.sampled_from(["*", "*/7", "0", "30", "5,35", "10-20", "10-40/10"])
hours = st.sampled_from(["*", "*/2", "2", "0,12", "1-3"])
days = st.sampled_from(["*", "1", "15,31", "*/10"])
months = st.sampled_from(["*", "1-6", "3,10"])
weekdays = st.sampled_from(["*", "1-5", "0", "6,7"])


def values(field: str, low: int, high: int) -> set[int]:
    """What a field allows, read in the plainest way."""
    allowed: set[int] = set()
    for part in field.split(","):
        term, _, step = part.partition("/")
        first, _, last = term.partition("-")
        start, end = (low, high) if term == "*" else (int(first), int(last or first))
        allowed |= set(range(start, end + 1, int(step or 1)))
    return allowed


def matches(fields: tuple[str, ...], moment: datetime) -> bool:
    minute, hour, day, month, weekday = fields
    in_month = moment.day in values(day, 1, 31)
    in_week = bool({moment.isoweekday(), moment.isoweekday() % 7} & values(weekday, 0, 7))
    either = day.startswith("*") or weekday.startswith("*")
    return (
        moment.minute in values(minute, 0, 59)
        and moment.hour in values(hour, 0, 23)
        and moment.month in values(month, 1, 12)
        and ((in_month and in_week) if either else (in_month or in_week))
    )


@settings(max_examples=100, deadline=None)
@given(
    fields=st.tuples(minutes, hours, days, months, weekdays),
    day=st.integers(0, 729),
    seconds=st.integers(0, 86_399),
)
def test_due_times_are_the_minutes_that_match(
    fields: tuple[str, ...], day: int, seconds: int
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=seconds)
    first = start.replace(second=0) + timedelta(minutes=1)
    minutes_after = (first + timedelta(minutes=n) for n in range(1_440))

    expected = [m.timestamp() for m in minutes_after if matches(fields, m)]

    found: list[float] = []
    for moment in Cron(" ".join(fields), "UTC").after(start.timestamp()):
        if moment > start.timestamp() + DAY_S:
            break
        found.append(moment)
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    fields=st.tuples(minutes, hours, days, months, weekdays),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    start=st.integers(int(at("2026-01-01")), int(at("2027-01-01"))),
    days_after=st.integers(0, 3),
)
def test_an_interval_has_the_due_times_one_by_one(
    fields: tuple[str, ...], zone: str, start: int, days_after: int
) -> None:
    cron, end = Cron(" ".join(fields), zone), start + days_after * DAY_S + 1.0

    one_by_one: list[float] = []
    for moment in cron.after(float(start)):
        if moment > end:
            break
        one_by_one.append(moment)
    times = cron.between(float(start), end)

    assert one_by_one == sorted(set(one_by_one))
    assert all(moment > start for moment in one_by_one)
    if times is None:
        assert one_by_one == []
    else:
        assert (times.latest, times.count) == (one_by_one[-1], min(len(one_by_one), MOST_COUNTED))


@pytest.mark.parametrize(
    ("expression", "absent_for_days"),
    [("* * * * *", 400), ("*/2 0-1 1 * *", 900), ("* * 1 1 *", 400), ("0 * * * *", 100)],
)
def test_the_latest_of_many_missed_times_is_found(expression: str, absent_for_days: int) -> None:
    end = at("2026-03-15T11:22:33")
    cron = Cron(expression, "UTC")

    times = cron.between(end - absent_for_days * DAY_S, end)

    assert times is not None
    assert times.count == MOST_COUNTED
    later = next(cron.after(times.latest))
    assert times.latest <= end < later


def test_a_fixed_time_that_the_clocks_skip_is_due_when_they_have_moved() -> None:
    days = due("30 2 * * *", BERLIN, "2026-03-28T00:00", "2026-03-30T12:00")

    assert days == ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]


def test_a_fixed_time_that_the_clocks_show_twice_is_due_once() -> None:
    days = due("30 2 * * *", BERLIN, "2026-10-24T00:00", "2026-10-26T12:00")

    assert days == ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]


def test_every_half_hour_follows_real_time_through_both() -> None:
    spring = due("*/30 * * * *", BERLIN, "2026-03-29T01:00", "2026-03-29T03:30")
    autumn = due("*/30 * * * *", BERLIN, "2026-10-25T01:30", "2026-10-25T03:00")

    assert spring == ["29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"]
    assert autumn == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
    ]


def test_nothing_is_due_before_the_moment_that_is_asked_about_in_the_doubled_hour() -> None:
    second_time = datetime(2026, 10, 25, 2, 15, tzinfo=ZoneInfo(BERLIN), fold=1).timestamp()

    first = next(Cron("30 2 * * *", BERLIN).after(second_time))

    assert local([first], BERLIN) == ["26 02:30 +0100"]


@pytest.mark.parametrize(
    ("expression", "zone", "code"),
    [
        ("* * * *", "UTC", "cron_invalid"),
        ("0 * * * * *", "UTC", "cron_invalid"),
        ("61 * * * *", "UTC", "cron_invalid"),
        ("*/0 * * * *", "UTC", "cron_invalid"),
        ("0 0 31 2 *", "UTC", "cron_invalid"),
        ("@daily", "UTC", "cron_invalid"),
        ("1," * 200 + "1 * * * *", "UTC", "cron_invalid"),
        ("0 0 31 2,4 1", "UTC", ""),
        ("0 0 * * *", "Mars/Olympus", "unknown_timezone"),
        ("0 0 * * *", "../etc/passwd", "unknown_timezone"),
        ("0 0 * * *", "Europe", "unknown_timezone"),
        ("0 0 * * *", "", "unknown_timezone"),
        ("0  2 * * mon-fri", BERLIN, ""),
    ],
)
def test_what_could_never_be_meant_is_refused(expression: str, zone: str, code: str) -> None:
    found = ""
    try:
        Cron.checked(expression, zone, at=at("2026-01-01"))
    except CronError as error:
        found = error.code

    assert found == code


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789*/,-#L W²MONJAN", max_size=30))
def test_any_text_is_taken_or_refused_in_words(expression: str) -> None:
    start = at("2026-01-01")
    try:
        first = next(Cron.checked(expression, "UTC", at=start).after(start))
    except CronError as error:
        first, said = None, str(error)
    else:
        said = "taken"

    assert said
    assert first is None or first > start

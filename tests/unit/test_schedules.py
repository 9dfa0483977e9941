"""Schedules: rate and cron as EventBridge writes them, in time zones with daylight saving."""

from datetime import UTC, datetime, timedelta

import pytest

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.schedules import Schedule, last_due, next_run, parse_schedule, schedule_document

SINCE = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def runs(expression: str, *, after: datetime, count: int = 3, timezone: str = "UTC") -> list[str]:
    schedule = parse_schedule({"expression": expression, "timezone": timezone})
    found: list[str] = []
    moment: datetime | None = after
    for _ in range(count):
        assert moment is not None
        moment = next_run(schedule, moment, since=SINCE)
        found.append("never" if moment is None else moment.strftime("%Y-%m-%dT%H:%M"))
        if moment is None:
            break
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 day)", ["2026-03-02T12:30", "2026-03-03T12:30", "2026-03-04T12:30"]),
        ("rate(90 minutes)", ["2026-03-02T00:30", "2026-03-02T02:00", "2026-03-02T03:30"]),
        ("cron(0 10 ? * MON-FRI *)", ["2026-03-02T10:00", "2026-03-03T10:00", "2026-03-04T10:00"]),
        ("cron(15/20 8,20 * * ? *)", ["2026-03-02T08:15", "2026-03-02T08:35", "2026-03-02T08:55"]),
        ("cron(0 0 L * ? *)", ["2026-03-31T00:00", "2026-04-30T00:00", "2026-05-31T00:00"]),
        ("cron(0 0 L-2 * ? *)", ["2026-03-29T00:00", "2026-04-28T00:00", "2026-05-29T00:00"]),
        ("cron(0 0 15W * ? *)", ["2026-03-16T00:00", "2026-04-15T00:00", "2026-05-15T00:00"]),
        ("cron(0 0 1W 8 ? *)", ["2026-08-03T00:00", "2027-08-02T00:00", "2028-08-01T00:00"]),
        ("cron(0 0 LW * ? *)", ["2026-03-31T00:00", "2026-04-30T00:00", "2026-05-29T00:00"]),
        ("cron(0 9 ? * TUE#2 *)", ["2026-03-10T09:00", "2026-04-14T09:00", "2026-05-12T09:00"]),
        ("cron(0 9 ? * 6L *)", ["2026-03-27T09:00", "2026-04-24T09:00", "2026-05-29T09:00"]),
        ("cron(0 9 ? * 1 *)", ["2026-03-08T09:00", "2026-03-15T09:00", "2026-03-22T09:00"]),
        ("cron(0 0 29 FEB ? *)", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("cron(0 0 1 1 ? 2020)", ["never"]),
        ("cron(0 0 1 1 ? 2027)", ["2027-01-01T00:00", "never"]),
        ("cron(0 0 1 1 ? 2050)", ["2050-01-01T00:00", "never"]),
        ("cron(0 0 29 2 ? 2097-2105)", ["2104-02-29T00:00", "never"]),
    ],
)
def test_runs(expression: str, expected: list[str]) -> None:
    after = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
    assert runs(expression, after=after) == expected


def test_a_time_zone_moves_with_its_clocks() -> None:
    after = datetime(2026, 3, 27, 12, tzinfo=UTC)
    found = runs("cron(0 10 * * ? *)", after=after, timezone="Europe/Berlin")
    assert found == ["2026-03-28T09:00", "2026-03-29T08:00", "2026-03-30T08:00"]


def test_a_time_that_the_clocks_skip_does_not_exist_and_a_doubled_one_comes_once() -> None:
    skipped = runs("cron(30 2 * * ? *)", after=datetime(2026, 3, 28, 12, tzinfo=UTC), timezone="Europe/Berlin")
    assert skipped[0] == "2026-03-30T00:30"
    doubled = runs("cron(30 2 * * ? *)", after=datetime(2026, 10, 24, 12, tzinfo=UTC), timezone="Europe/Berlin")
    assert doubled[:2] == ["2026-10-25T00:30", "2026-10-26T01:30"]


@pytest.mark.parametrize("expression", ["rate(1 day)", "cron(0 0 * * ? *)", "cron(0/7 * ? * MON *)"])
def test_what_is_due_is_the_run_before_the_next(expression: str) -> None:
    schedule = parse_schedule(expression)
    now = SINCE + timedelta(days=40, minutes=3)
    due = last_due(schedule, now, since=SINCE)
    assert due is not None
    assert SINCE < due <= now
    assert next_run(schedule, due - timedelta(seconds=1), since=SINCE) == due
    following = next_run(schedule, due, since=SINCE)
    assert following is not None
    assert following > now


def test_nothing_is_due_before_the_first_run() -> None:
    schedule = parse_schedule("rate(1 day)")
    assert last_due(schedule, SINCE + timedelta(hours=23), since=SINCE) is None
    assert last_due(parse_schedule("cron(0 0 1 1 ? 2030)"), SINCE + timedelta(days=3), since=SINCE) is None


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("daily", "schedule.expression"),
        ("rate(0 days)", "schedule.expression"),
        ("rate(1 days)", "schedule.expression"),
        ("rate(2 day)", "schedule.expression"),
        ("cron(0 10 * * MON *)", "schedule.expression"),
        ("cron(0 10 ? * ? *)", "schedule.expression"),
        ("cron(0 10 * * *)", "schedule.expression"),
        ("cron(60 10 * * ? *)", "schedule.expression"),
        ("cron(0 10 32 * ? *)", "schedule.expression"),
        ("cron(0 10 ? * FUN *)", "schedule.expression"),
        ("cron(0 10 ? * MON#6 *)", "schedule.expression"),
        ("cron(0 10 5-2 * ? *)", "schedule.expression"),
        ({"expression": "rate(1 day)", "timezone": "Mars/Jezero"}, "schedule.timezone"),
        ("rate(1\u0662 hours)", "schedule.expression"),
        ("rate(1\u2003day)", "schedule.expression"),
        ("cron(0 0 31 2 ? *)", "schedule.expression"),
        ("cron(0 0 L-30 FEB ? *)", "schedule.expression"),
        ("cron(0 0 29 2 ? 2100)", "schedule.expression"),
        ({"expression": "rate(1 day)", "timezone": "localtime"}, "schedule.timezone"),
        ({"expression": "rate(1 day)", "timezone": "posix/Europe/Berlin"}, "schedule.timezone"),
        ({"expression": "rate(1 day)", "timezone": "../../etc/passwd"}, "schedule.timezone"),
        ({"expression": "rate(1 day)", "zone": "UTC"}, "schedule.zone"),
        ({"timezone": "UTC"}, "schedule.expression"),
        (5, "schedule"),
    ],
)
def test_faults_are_named(document: object, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_schedule(document)  # type: ignore[arg-type]
    assert raised.value.field == field


def test_a_schedule_survives_its_document() -> None:
    schedule = Schedule(expression="rate(6 hours)", timezone="Asia/Tokyo")
    assert parse_schedule(schedule_document(schedule)) == schedule

"""Schedules of rebuilds: `rate(...)` and `cron(...)` in a time zone, and when they are due."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from quadmosaic.domain.cron import FIELD, Cron, parse_cron
from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.granules import Json, JsonObject

_RATE = re.compile(r"rate\(\s*([1-9]\d{0,5})\s+(minute|hour|day)(s?)\s*\)", re.ASCII)
_CRON = re.compile(r"cron\((.*)\)")
_NO_ZONES = frozenset({"localtime", "Factory"})
"""Files beside the time zones: that of a machine, and one for machines that have none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When to rebuild; a rate counts from the moment it was set."""

    expression: str
    timezone: str = "UTC"


def parse_schedule(document: Json) -> Schedule:
    """`"rate(1 day)"` or `{"expression", "timezone"}`. Raises Invalid with a field like "schedule.timezone"."""
    given: JsonObject = {"expression": document} if isinstance(document, str) else _object(document)
    unknown = given.keys() - {"expression", "timezone"}
    if unknown:
        raise Invalid("is no part of a schedule: expression and timezone are", field=f"schedule.{min(unknown)}")
    expression, timezone = given.get("expression"), given.get("timezone") or "UTC"
    if not isinstance(expression, str):
        raise Invalid("must be rate(...) or cron(...)", field=FIELD)
    if not isinstance(timezone, str):
        raise Invalid("must be the name of a time zone like Europe/Berlin", field="schedule.timezone")
    if timezone not in _zones():
        raise Invalid(f"{timezone!r} is no known time zone", field="schedule.timezone")
    schedule = Schedule(expression=expression.strip(), timezone=timezone)
    rule = _rule(schedule)
    if isinstance(rule, Cron) and next(rule.days_from(date.min), None) is None:
        raise Invalid(f"{schedule.expression!r} names days that no year has", field=FIELD)
    return schedule


def schedule_document(schedule: Schedule) -> JsonObject:
    """The JSON that `parse_schedule` reads back."""
    return {"expression": schedule.expression, "timezone": schedule.timezone}


def next_run(schedule: Schedule, after: datetime, *, since: datetime) -> datetime | None:
    """The first time behind `after`; None when there is none. `since` is when the schedule was set."""
    rule = _rule(schedule)
    if isinstance(rule, timedelta):
        return since + ((max(after, since) - since) // rule + 1) * rule
    last = max(after, since)
    moments = (
        each
        for day in rule.days_from(last.astimezone(ZoneInfo(schedule.timezone)).date())
        for each in _on(rule, day, schedule)
    )
    return next((moment for moment in moments if moment > last), None)


def last_due(schedule: Schedule, now: datetime, *, since: datetime) -> datetime | None:
    """The latest time up to `now`, later than `since`; None when it was never due."""
    rule = _rule(schedule)
    if isinstance(rule, timedelta):
        periods = (now - since) // rule
        return since + periods * rule if periods > 0 else None
    zone = ZoneInfo(schedule.timezone)
    day, first = now.astimezone(zone).date(), since.astimezone(zone).date()
    while day >= first:
        due = [moment for moment in _on(rule, day, schedule) if since < moment <= now]
        if due:
            return due[-1]
        day -= timedelta(days=1)
    return None


def _on(cron: Cron, day: date, schedule: Schedule) -> Iterator[datetime]:
    """The moments of a day, in order; those that the clocks skip in spring do not exist."""
    if not cron.matches(day):
        return
    zone = ZoneInfo(schedule.timezone)
    for hour in cron.hours:
        for minute in cron.minutes:
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            moment = local.astimezone(UTC)
            if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                yield moment


def _rule(schedule: Schedule) -> timedelta | Cron:
    rate, cron = _RATE.fullmatch(schedule.expression), _CRON.fullmatch(schedule.expression)
    if cron:
        return parse_cron(cron[1])
    if not rate or (rate[1] == "1") == bool(rate[3]):
        raise Invalid(
            f"{schedule.expression!r} is neither rate(1 day), rate(6 hours) nor cron(0 10 ? * MON-FRI *)", field=FIELD
        )
    return timedelta(**{f"{rate[2]}s": int(rate[1])})


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_ZONES


def _object(document: Json) -> JsonObject:
    if not isinstance(document, dict):
        raise Invalid("must be a text or an object with expression and timezone", field="schedule")
    return document

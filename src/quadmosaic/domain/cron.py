"""Cron expressions as EventBridge writes them: six fields, `?`, `L`, `W` and `#`, evaluated day by day.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from quadmosaic.domain.errors import Invalid

FIELD = "schedule.expression"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """Minutes and hours of the days that match; `days` and `weekdays` keep their text, of which one is `?`."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: str
    months: frozenset[int]
    weekdays: str
    years: frozenset[int]

    def matches(self, day: date) -> bool:
        """Does it run on that day?"""
        if day.month not in self.months or day.year not in self.years:
            return False
        return _day_matches(self.days, day) if self.weekdays == "?" else _weekday_matches(self.weekdays, day)

    def days_from(self, first: date) -> Iterator[date]:
        """The days on which it runs, in order."""
        for year in sorted(year for year in self.years if year >= first.year):
            for month in sorted(self.months):
                for number in range(1, calendar.monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= first and self.matches(day):
                        yield day


def parse_cron(fields: str) -> Cron:
    """`0 10 ? * MON-FRI *`. Raises Invalid (field "schedule.expression")."""
    parts = fields.upper().split()
    if len(parts) != 6:
        raise Invalid("cron has six fields: minutes hours day-of-month month day-of-week year", field=FIELD)
    minutes, hours, days, months, weekdays, years = parts
    if (days == "?") == (weekdays == "?"):
        raise Invalid("one of day-of-month and day-of-week must be ?", field=FIELD)
    cron = Cron(
        minutes=tuple(sorted(_numbers(minutes, 0, 59, what="minute"))),
        hours=tuple(sorted(_numbers(hours, 0, 23, what="hour"))),
        days=days,
        months=frozenset(_numbers(months, 1, 12, names=_MONTHS, what="month")),
        weekdays=weekdays,
        years=frozenset(_numbers(years, _FIRST_YEAR, _LAST_YEAR, what="year")),
    )
    _check_days(days)
    _check_weekdays(weekdays)
    return cron


def _numbers(text: str, low: int, high: int, *, what: str, names: tuple[str, ...] = ()) -> set[int]:
    """`*`, `5`, `1-5`, `0/15`, `MON-FRI` and lists of these."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        start, dash, end = span.partition("-")
        first = low if span == "*" else _number(start, low, high, what, names)
        last = _number(end, low, high, what, names) if dash else (high if span == "*" or step else first)
        every = _number(step, 1, high, f"step of {what}", ()) if step else 1
        if first > last:
            raise Invalid(f"{part!r} runs backwards", field=FIELD)
        found.update(range(first, last + 1, every))
    return found


def _number(text: str, low: int, high: int, what: str, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + low
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise Invalid(f"{text!r} is no {what} ({low} to {high})", field=FIELD)
    return int(text)


def _check_days(text: str) -> None:
    if text not in ("?", "L", "LW") and not re.fullmatch(r"([1-9]|[12]\d|3[01])W|L-([1-9]|[12]\d|30)", text):
        _numbers(text, 1, 31, what="day of month")


def _check_weekdays(text: str) -> None:
    special = re.fullmatch(r"(\w{1,3}?)(L|#[1-5])", text)
    if special:
        _number(special[1], 1, 7, "day of week", _WEEKDAYS)
    elif text not in ("?", "L"):
        _numbers(text, 1, 7, names=_WEEKDAYS, what="day of week")


def _day_matches(text: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if text == "L":
        return day.day == last
    if text.startswith("L-"):
        return day.day == last - int(text[2:])
    if text.endswith("W"):
        wanted = last if text == "LW" else int(text[:-1])
        return wanted <= last and day.day == _nearest_workday(day.year, day.month, wanted, last)
    return day.day in _numbers(text, 1, 31, what="day of month")


def _nearest_workday(year: int, month: int, day: int, last: int) -> int:
    weekday = date(year, month, day).weekday()
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _weekday_matches(text: str, day: date) -> bool:
    weekday = day.isoweekday() % 7 + 1
    last = calendar.monthrange(day.year, day.month)[1]
    if text == "L":
        return weekday == 7
    special = re.fullmatch(r"(\w{1,3}?)(L|#([1-5]))", text)
    if special is None:
        return weekday in _numbers(text, 1, 7, names=_WEEKDAYS, what="day of week")
    is_day = weekday == _number(special[1], 1, 7, "day of week", _WEEKDAYS)
    return is_day and (day.day + 7 > last if special[3] is None else (day.day - 1) // 7 + 1 == int(special[3]))

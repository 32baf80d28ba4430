//! The calendar.

use arc_swap::ArcSwap;
use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, date},
    tz::TimeZone,
};
use lintel_kernel::{Fault, Span};
use lintel_state::ledger::Period;

/// The hours, days, weeks or months of a place.
pub(super) struct Calendar {
    span: Span,
    zone: TimeZone,
    /// The one that was asked for last.
    known: ArcSwap<Period>,
}

impl Calendar {
    /// By the clocks of a time zone, such as `Europe/Berlin` (IANA); hours are those of UTC.
    pub(super) fn new(span: Span, zone: &str) -> Result<Self, Fault> {
        let zone = TimeZone::get(zone).map_err(|_| {
            Fault::new(format!("there is no time zone `{zone}`"))
                .with_hint("write the name of one in the IANA database, such as `Europe/Berlin`")
                .under("time_zone")
        })?;
        let never = Period {
            start: 0,
            end: 0,
            number: 0,
        };
        Ok(Self {
            span,
            zone,
            known: ArcSwap::from_pointee(never),
        })
    }

    /// The period of a time in seconds since 1970.
    pub(super) fn period(&self, now: u64) -> Period {
        let known = **self.known.load();
        if (known.start..known.end).contains(&now) {
            return known;
        }
        let found = self.find(now).unwrap_or_else(|| hour(now));
        self.known.store(found.into());
        found
    }

    fn find(&self, now: u64) -> Option<Period> {
        if self.span == Span::Hour {
            return Some(hour(now));
        }
        let now = Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
        let today = now.to_zoned(self.zone.clone()).date();
        let day = |day: Date| u64::try_from(day.duration_since(MONDAY).as_hours() / 24).ok();
        let (first, next, number) = match self.span {
            Span::Week => {
                let since = today.weekday().to_monday_zero_offset();
                let monday = today.checked_sub(i64::from(since).days()).ok()?;
                (monday, monday.checked_add(7.days()).ok()?, day(monday)? / 7)
            }
            Span::Month => {
                let first = today.first_of_month();
                let year = u64::try_from(first.year()).ok()?;
                let number = year * 12 + u64::try_from(first.month()).ok()?;
                (first, first.checked_add(1.month()).ok()?, number)
            }
            Span::Day | Span::Hour => (today, today.checked_add(1.day()).ok()?, day(today)?),
        };
        Some(Period {
            start: self.midnight(first)?,
            end: self.midnight(next)?,
            number,
        })
    }

    /// When a day begins; where midnight is left out for summer time, later.
    fn midnight(&self, day: Date) -> Option<u64> {
        let begun = day.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
        u64::try_from(begun.timestamp().as_second()).ok()
    }
}

/// A Monday before everything.
const MONDAY: Date = date(1969, 12, 29);

fn hour(now: u64) -> Period {
    let number = now / 3_600;
    Period {
        start: number * 3_600,
        end: (number + 1) * 3_600,
        number,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> u64 {
        let time: Timestamp = text.parse().unwrap();
        u64::try_from(time.as_second()).unwrap()
    }

    fn period(span: Span, zone: &str, now: &str) -> [String; 2] {
        let calendar = Calendar::new(span, zone).unwrap();
        let period = calendar.period(at(now));
        assert_eq!(calendar.period(at(now)), period, "the one it remembers");
        assert_eq!(calendar.period(period.end).number, period.number + 1);
        assert_eq!(calendar.period(period.end).start, period.end);
        assert_eq!(calendar.period(period.start - 1).end, period.start);
        [period.start, period.end].map(|time| {
            let time = Timestamp::from_second(i64::try_from(time).unwrap());
            time.unwrap().to_string()
        })
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        let now = "2026-11-22T23:30:00Z";
        for (span, zone, start, end) in [
            (
                Span::Hour,
                "Asia/Kolkata",
                "2026-11-22T23:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                Span::Day,
                "UTC",
                "2026-11-22T00:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                Span::Day,
                "Europe/Berlin",
                "2026-11-22T23:00:00Z",
                "2026-11-23T23:00:00Z",
            ),
            (
                Span::Week,
                "UTC",
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                Span::Week,
                "Europe/Berlin",
                "2026-11-22T23:00:00Z",
                "2026-11-29T23:00:00Z",
            ),
            (
                Span::Month,
                "UTC",
                "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                Span::Month,
                "America/New_York",
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
            ),
        ] {
            assert_eq!(period(span, zone, now), [start, end], "{span:?} {zone}");
        }
    }

    /// Days of 23 and 25 hours, a midnight that is left out, a leap day, the end of a year.
    #[test]
    fn days_are_as_long_as_they_are() {
        for (zone, now, start, end) in [
            (
                "Europe/Berlin",
                "2026-03-29T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                "Europe/Berlin",
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                "Africa/Cairo",
                "2026-04-24T12:00:00Z",
                "2026-04-23T22:00:00Z",
                "2026-04-24T21:00:00Z",
            ),
            (
                "UTC",
                "2028-02-29T12:00:00Z",
                "2028-02-29T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                "UTC",
                "2026-12-31T23:59:59Z",
                "2026-12-31T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(period(Span::Day, zone, now), [start, end], "{zone} {now}");
        }
    }

    #[test]
    fn a_zone_must_be_there() {
        let fault = Calendar::new(Span::Day, "Europe/Atlantis").err().unwrap();
        assert_eq!(fault.path, ["time_zone"]);
    }
}

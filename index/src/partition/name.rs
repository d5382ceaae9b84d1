//! Which partition an event belongs to: a function of the event alone, because a replay must send it where it went
//! before.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use monban_event::time::{Month, jst_date, jst_midnight};
use monban_event::{Event, TimeRange};

/// An event this close to its receipt goes to the day of its receipt. Wider, and every search of a day would open its
/// neighbours; narrower, and a device whose clock is off by an hour would write into `odd` partitions all day.
const DAY_SLACK: TimeDelta = TimeDelta::hours(2);

/// Event months this far before receipt have a partition of their own: what is kept (36 months) and some. Beyond are
/// broken clocks (1970, 2106), which share one partition, so that a stranger's random times cannot open thousands.
const ODD_PAST: TimeDelta = TimeDelta::days(40 * 31);

/// Event months this far after receipt have a partition of their own.
const ODD_FUTURE: TimeDelta = TimeDelta::days(62);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PartitionName {
    /// Events received on that JST date and told within two hours of receipt.
    Day(NaiveDate),
    /// All others of an event month: imports and wrong clocks.
    Odd(Month),
    /// Times that no clock in order tells.
    Beyond,
}

impl PartitionName {
    pub(crate) fn of(event: &Event) -> Self {
        let time = event.time();
        let receipt = event.ingested.unwrap_or(time);
        let late = receipt.signed_duration_since(time);
        if late.abs() <= DAY_SLACK {
            Self::Day(jst_date(receipt))
        } else if late <= ODD_PAST && -late <= ODD_FUTURE {
            Self::Odd(Month::of(time))
        } else {
            Self::Beyond
        }
    }

    /// Reads a directory name; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "odd-beyond" {
            return Some(Self::Beyond);
        }
        let name = match text.strip_prefix("odd-") {
            Some(month) => Self::Odd(Month::parse(month)?),
            None => Self::Day(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?),
        };
        (name.to_string() == text).then_some(name)
    }

    /// Every event time in the partition lies in here (half-open).
    pub(crate) fn range(self) -> TimeRange {
        match self {
            Self::Day(date) => {
                let start = jst_midnight(date);
                let end: DateTime<Utc> = start + TimeDelta::days(1);
                // Closed at the slack itself, so one microsecond more.
                TimeRange::between(start - DAY_SLACK, end + DAY_SLACK + TimeDelta::microseconds(1))
            }
            Self::Odd(month) => month.range(),
            Self::Beyond => TimeRange::default(),
        }
    }

    pub(crate) fn is_day(self) -> bool {
        matches!(self, Self::Day(_))
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(date) => write!(f, "{}", date.format("%Y-%m-%d")),
            Self::Odd(month) => write!(f, "odd-{month}"),
            Self::Beyond => f.write_str("odd-beyond"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(time: &str, received: &str) -> String {
        let at = |text: &str| Some(text.parse().expect("a time"));
        let event = Event { event_time: at(time), ingested: at(received), ..Event::default() };
        let name = PartitionName::of(&event);
        assert!(name.range().contains(event.time()), "{name} holds {time}");
        name.to_string()
    }

    #[test]
    fn by_receipt_when_near_it_else_by_event_month() {
        let received = "2026-10-05T00:30:00+09:00";
        assert_eq!(name("2026-10-05T00:29:00+09:00", received), "2026-10-05");
        assert_eq!(name("2026-10-04T22:30:00+09:00", received), "2026-10-05");
        assert_eq!(name("2026-10-05T02:30:00+09:00", received), "2026-10-05");
        assert_eq!(name("2026-10-04T22:29:59+09:00", received), "odd-2026-10");
        assert_eq!(name("2026-09-30T23:59:59+09:00", received), "odd-2026-09");
        assert_eq!(name("2026-11-30T00:00:00+09:00", received), "odd-2026-11");
        assert_eq!(name("1970-01-01T00:00:00Z", received), "odd-beyond");
        assert_eq!(name("2106-02-07T06:28:15Z", received), "odd-beyond");
    }

    #[test]
    fn names_read_what_they_write() {
        for text in ["2026-10-05", "odd-2026-10", "odd-beyond"] {
            assert_eq!(PartitionName::parse(text).map(|name| name.to_string()).as_deref(), Some(text));
        }
        for text in
            ["", "2026-13-01", "2026-1-5", "odd-", "odd-2026-1", "lost+found", "manifest.json", "２０２６-10-05"]
        {
            assert_eq!(PartitionName::parse(text), None, "{text}");
        }
    }
}

//! What whoever handed a file in said about it ([`FileHints`]), applied to the reading of its records. It serves only
//! where a record says nothing itself.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use monban_event::{Event, FileHints, Record, account};

pub(crate) fn of(record: &Record) -> Option<&FileHints> {
    record.file.as_ref()?.hints.as_deref()
}

/// The zone of stamps without an offset.
pub(crate) fn zone(record: &Record, default: Tz) -> Tz {
    of(record).and_then(|hints| hints.zone.as_deref()?.parse().ok()).unwrap_or(default)
}

/// The moment from which the year of a stamp without one is reckoned: receipt, or the end of the year that was told. A
/// stamp may be a day ahead of that moment, so the moment is a day before.
pub(crate) fn as_of(record: &Record, zone: Tz) -> DateTime<Utc> {
    let told = of(record).and_then(|hints| hints.year);
    let end = told.and_then(|year| zone.with_ymd_and_hms(year, 12, 31, 23, 59, 59).latest());
    end.and_then(|end| end.to_utc().checked_sub_signed(TimeDelta::days(1))).unwrap_or(record.received_at)
}

/// Names the machine of events that name none.
pub(crate) fn name_machine(record: &Record, event: &mut Event) {
    let Some(host) = of(record).and_then(|hints| hints.host.as_deref()) else { return };
    if event.device().is_some() {
        return;
    }
    event.observer_hostname = Some(host.to_owned());
    if event.source_id.as_deref().is_none_or(|source| source.starts_with("file:")) {
        event.source_id = Some(format!("host:{}", account::fold(host)));
    }
}

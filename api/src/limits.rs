//! Every bound on what comes in over HTTP, each with its reason.

use std::time::Duration;

use chrono::TimeDelta;

/// Longest request body, in bytes: the largest form is a review with a note.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest time one answer may take. Searches stop by themselves after five seconds; an audit counts some twenty times.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

/// Events of one API page; `ui.md` §5 promises it.
pub(crate) const API_PAGE_MAX: usize = 1000;
pub(crate) const API_PAGE_DEFAULT: usize = 100;

/// Events of one page for people.
pub(crate) const PAGE_EVENTS: usize = 50;

/// Values of one facet a caller may ask for, and what a page shows.
pub(crate) const FACET_MAX: usize = 100;
pub(crate) const FACET_SHOWN: usize = 8;

/// Fields of one facet request; each is a pass over the matching events.
pub(crate) const FACET_FIELDS_MAX: usize = 12;

/// Longest query text, in bytes; the language itself bounds its depth.
pub(crate) const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Buckets of one histogram; the store refuses more than 10,000, and no screen shows more than these.
pub(crate) const BUCKETS_MAX: i64 = 2000;

/// Shortest password. Twelve characters is what the ministry's guideline 6.0 asks of a single factor at least.
pub(crate) const PASSWORD_CHARACTERS_MIN: usize = 12;

/// Longest password and account name taken, in bytes: argon2 reads all of it, so it must not be a megabyte.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// A session ends after this long without a click: ward terminals are left standing open.
pub(crate) const SESSION_IDLE: TimeDelta = TimeDelta::minutes(15);

/// A session ends after one shift whatever happens.
pub(crate) const SESSION_WHOLE: TimeDelta = TimeDelta::hours(8);

/// This many failures of one account within the window close it for the rest of the window: guessing at five tries a
/// quarter of an hour takes centuries for twelve characters, and a person who mistypes waits for one coffee.
pub(crate) const LOGIN_FAILURES_MAX: u64 = 5;
pub(crate) const LOGIN_WINDOW: TimeDelta = TimeDelta::minutes(15);

/// Login attempts of everybody together in one minute. Each is an act in the journal, and a journal that strangers can
/// fill is not one.
pub(crate) const LOGIN_ATTEMPTS_PER_MINUTE: u32 = 60;

/// Password checks at one time: each takes 19 MiB for as long as it runs.
pub(crate) const PASSWORD_CHECKS_MAX: usize = 2;

/// Longest note of a review, in bytes.
pub(crate) const NOTE_BYTES_MAX: usize = 4 * 1024;

/// Findings of one page for people; the tabs and filters narrow what is more.
pub(crate) const FINDINGS_SHOWN: usize = 100;

/// Lines of the trail on one page.
pub(crate) const TRAIL_SHOWN: usize = 200;

/// Sources drawn on the dashboard; the table on the log list shows all.
pub(crate) const DASHBOARD_SOURCES: usize = 12;

/// Bytes of a record's text shown on a page; the rest is in the journal and in exports.
pub(crate) const RAW_SHOWN_BYTES: usize = 64 * 1024;

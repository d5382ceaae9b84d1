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

/// Longest query text, in bytes: the language takes 8,192 characters, and a Japanese one has three or four bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 32 * 1024;

/// Exports at one time; each holds a thread for as long as its reader takes.
pub(crate) const EXPORTS_MAX: usize = 4;

/// Events of an export written at once: half a megabyte.
pub(crate) const EXPORT_PAGE: usize = 500;

/// An export whose reader takes nothing for so long is broken off.
pub(crate) const EXPORT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Furthest that the surroundings of an event reach, in minutes to either side; beyond, it is a search.
pub(crate) const CONTEXT_MINUTES_MAX: u32 = 60;

/// Events of the surroundings on either side: over the API, and on the event's page.
pub(crate) const CONTEXT_EVENTS: usize = 100;
pub(crate) const CONTEXT_SHOWN: usize = 10;

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

/// Longest subject or object of an exception, in bytes: a path on a server, or a name of 60 Japanese characters.
pub(crate) const SCOPE_BYTES_MAX: usize = 512;

/// Exceptions in force at one time. Each finding asks those of its rule, and nobody can answer for more.
pub(crate) const EXCEPTIONS_MAX: usize = 500;

/// Findings that a preview shows; it counts all of them.
pub(crate) const PREVIEW_SHOWN: usize = 10;

/// Findings of one page for people; the tabs and filters narrow what is more.
pub(crate) const FINDINGS_SHOWN: usize = 100;

/// Lines of the trail on one page.
pub(crate) const TRAIL_SHOWN: usize = 200;

/// Sources drawn on the dashboard; the table on the log list shows all.
pub(crate) const DASHBOARD_SOURCES: usize = 12;

/// Bytes of a record's text shown on a page; the rest is in the journal and in exports.
pub(crate) const RAW_SHOWN_BYTES: usize = 64 * 1024;

/// Longest body of lines, objects or `_bulk`, in bytes, packed and unpacked: half as much again as the largest request of
/// Logstash (20 MiB), and a third of what the journal lets wait.
pub(crate) const INGEST_BODY_BYTES_MAX: u64 = 32 << 20;

/// Records of one such body: 335 bytes each on average fill it.
pub(crate) const INGEST_RECORDS_MAX: usize = 100_000;

/// What all bodies of lines and objects may hold in memory together until they are journaled, the windows of their
/// packings included: three of the largest, or fifteen small ones packed with zstd.
pub(crate) const INGEST_MEMORY_BYTES_MAX: usize = 128 << 20;

/// What a record costs in memory beside its bytes.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 256;

/// Uploads of any kind at one time; each has a thread while it arrives.
pub(crate) const INGEST_REQUESTS_MAX: usize = 32;

/// Event log uploads at one time. They arrive side by side and are imported one after the other.
pub(crate) const EVENT_LOG_UPLOADS_MAX: usize = 4;

/// Largest upload of event logs, in bytes, unpacked: 4 GiB is the largest a Windows log can be told to become.
pub(crate) const EVENT_LOG_BYTES_MAX: u64 = 4 << 30;

/// Files of one multipart upload, and bytes of the head of one of its parts (a name and a type).
pub(crate) const PARTS_MAX: usize = 100;
pub(crate) const PART_HEAD_BYTES_MAX: usize = 8 * 1024;

/// Longest name of an uploaded file that is kept, in characters: what file systems allow.
pub(crate) const FILE_NAME_CHARACTERS_MAX: usize = 255;

/// What staged uploads leave free on the disk: the journal comes first, and a day of logs of a hospital is below this.
pub(crate) const DISK_LEFT_BYTES_MIN: u64 = 1 << 30;

/// Room on the disk is looked up each time this much was staged.
pub(crate) const DISK_LOOK_BYTES: u64 = 16 << 20;

/// How many times its packed size a body may become. Logs pack ten to thirty times, lines that repeat some two hundred.
pub(crate) const EXPANSION_RATIO_MAX: u64 = 250;

/// Up to here the ratio is not asked: small bodies of equal lines pack far better, and so much is cheap to unpack. An
/// event log that Windows has just begun is 20 MiB of zeros nearly all.
pub(crate) const EXPANSION_FREE_BYTES: u64 = 8 << 20;
pub(crate) const EXPANSION_FREE_EVENT_LOG_BYTES: u64 = 64 << 20;

/// Largest window of a zstd body, as a power of two: RFC 9659 allows 8 MiB in a `Content-Encoding`.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A sender that says nothing for this long in the middle of a body has gone.
pub(crate) const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// A body of lines or objects takes at most this long to arrive: 32 MiB over a line of 2 Mbit/s.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_mins(3);

/// An event log upload takes at most this long to arrive: 4 GiB over a line of 10 Mbit/s.
pub(crate) const EVENT_LOG_TIME_MAX: Duration = Duration::from_hours(1);

/// Of a body that is refused, this much is still read, so that its sender comes to read why instead of a reset
/// connection; and for at most this long.
pub(crate) const REFUSED_BYTES_READ: usize = 64 << 20;
pub(crate) const REFUSED_TIME_MAX: Duration = Duration::from_secs(10);

/// Wrong tokens of one sender in a minute before it is told to wait; senders told apart; lines in the trail about them.
/// Each line is an act in the journal, and a journal that strangers can fill is not one.
pub(crate) const WRONG_TOKENS_PER_MINUTE: u32 = 30;
pub(crate) const REFUSED_SENDERS_MAX: usize = 1000;
pub(crate) const REFUSALS_TOLD_PER_MINUTE: u32 = 10;

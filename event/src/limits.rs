//! Bounds that more than one room must agree on, each with its reason. Bounds of one room stand in that room.

/// Longest record the journal takes, in bytes. An EVTX chunk is 64 KiB; a syslog frame is cut here, and what was cut is
/// noted on the event. 1 MiB is what the largest known sender (a multi-line Java trace) needs.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Longest text an event shows as `message`, in bytes. RFC 5425 §4.3.1 says receivers SHOULD take 8192; four times that
/// leaves room for structured data. The record keeps everything.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// Bytes that may wait for the journal at once. Above it, senders are not read (TCP) or refused and counted (UDP, HTTP).
pub const JOURNAL_QUEUE_BYTES_MAX: usize = 64 << 20;

/// Most attempts to log in that one line may stand for. A line that claims more is either a flood, which every rule has
/// seen by then, or a lie, which must not fill the index.
pub const LOGIN_REPEATS_MAX: u32 = 1_000;

/// Most native fields kept of one event: a CEF line has some 60, an EVTX record some 40; a hostile line has no end.
pub const NATIVE_FIELDS_MAX: usize = 512;

/// Whole months that what is kept stays where the configuration says nothing: what can be searched (a year and the month
/// that is being looked at), what was received (the three years that a claim may take to come up), and what reports rest
/// on (five years, as medical records are kept).
pub const RETENTION_MONTHS: [u32; 3] = [13, 36, 60];

//! One line that stands for many: rsyslog's `message repeated N times: [ … ]`. Owns taking the wrapper off before any
//! parser sees the line, and how often an attempt to log in then counts. Lines that only point back (`last message
//! repeated N times`) say nothing by themselves and are left to their parsers.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use monban_event::limits::LOGIN_REPEATS_MAX;
use monban_event::{Action, Category, Event, EventId};

/// The native field that holds the count.
pub(crate) const REPEATED: &str = "repeated";

const MARK: &str = "message repeated ";

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// The line as it was before it was counted, and the count.
pub(crate) fn unwrap(text: Cow<'_, str>) -> (Cow<'_, str>, Option<u32>) {
    match opened(&text) {
        Some((line, count)) => (Cow::Owned(line), Some(count)),
        None => (text, None),
    }
}

fn opened(text: &str) -> Option<(String, u32)> {
    let at = FINDER.find(text.as_bytes())?;
    let (count, inner) = text.get(at + MARK.len()..)?.split_once(" times: [")?;
    // A number too large to read is as large as can be.
    let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = is_number.then(|| count.parse().unwrap_or(u32::MAX))?;
    let inner = inner.trim_end().strip_suffix(']')?.trim_start_matches(' ');
    let before = text.get(..at).filter(|before| before.is_empty() || before.ends_with(' '))?;
    Some((format!("{before}{inner}"), count))
}

/// The count of `last message repeated N times`, which syslogd writes without a tag, and BSD's between dashes.
pub(crate) fn pointing_back(message: &str) -> Option<&str> {
    let rest = message.trim_start_matches(['-', ' ']).strip_prefix("last message repeated ")?;
    let (count, rest) = rest.split_once(' ')?;
    let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && rest.starts_with("time")).then_some(count)
}

/// The other attempts to log in that the event's line stands for: the same event, with offsets of their own.
pub(crate) fn others(event: &Event) -> impl Iterator<Item = Event> + use<> {
    let is_attempt = event.category == Some(Category::Authentication) && event.action == Some(Action::Login);
    let count = event.native.get(REPEATED).filter(|_| is_attempt).and_then(|count| count.parse::<u32>().ok());
    let template = count.is_some().then(|| event.clone());
    let id = event.id;
    (1..count.unwrap_or(0).min(LOGIN_REPEATS_MAX))
        .filter_map(move |offset| Some(Event { id: EventId::new(id.record, id.offset + offset), ..template.clone()? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::testing::{parse, record};
    use crate::{Parsers, TextSettings};
    use monban_event::{RecordId, RecordParser};

    const LINE: &str = "<86>Mar  3 09:00:00 db01 sshd[77]: message repeated 4 times: [ Failed password for sato from 192.0.2.9 port 5 ssh2]";

    fn events(line: &str) -> Vec<Event> {
        let mut events = Vec::new();
        Parsers { settings: TextSettings::default() }.parse(RecordId(9), &record(line.as_bytes()), &mut events);
        events
    }

    #[test]
    fn a_counted_line_is_read_as_the_line_it_counts() {
        let event = parse(LINE.as_bytes());
        assert_eq!(event.user_name.as_deref(), Some("sato"));
        assert_eq!(event.native.get(REPEATED), Some("4"));
        assert_eq!(event.message.as_deref(), Some("sshd[77]: Failed password for sato from 192.0.2.9 port 5 ssh2"));
    }

    #[test]
    fn attempts_to_log_in_count_as_often_as_they_were_made() {
        let events = events(LINE);
        let offsets: Vec<u32> = events.iter().map(|event| event.id.offset).collect();
        assert_eq!(offsets, [0, 1, 2, 3]);
        assert!(events.iter().all(|event| event.user_name == events[0].user_name && event.id.record == RecordId(9)));
    }

    #[test]
    fn lines_that_point_back_say_how_often() {
        assert_eq!(parse(b"<86>Mar  3 09:00:00 db01 last message repeated 5 times").native.get(REPEATED), Some("5"));
        assert_eq!(pointing_back("--- last message repeated 1 time ---"), Some("1"));
        assert_eq!(pointing_back("last message repeated often"), None);
    }

    #[test]
    fn nothing_else_is_multiplied_and_nothing_without_bound() {
        assert_eq!(events(&LINE.replace(" 4 ", " 99999999999 ")).len(), LOGIN_REPEATS_MAX as usize);
        assert_eq!(events("<30>Mar  3 09:00:00 db01 app[7]: message repeated 9 times: [ tick]").len(), 1);
        for line in ["message repeated x times: [ a]", "message repeated 3 times: [ a", "message repeated times: [a]"] {
            assert_eq!(unwrap(Cow::Borrowed(line)).1, None, "{line}");
        }
    }
}

//! Addresses of our own pages. Everything a page shows is in its address, so every link is built here, encoded.

use chrono::{DateTime, TimeDelta, Utc};
use monban_audit::{percent, wording};
use monban_event::TimeRange;
use monban_event::time::rfc3339;

/// `path?name=value&…` of the pairs that have a value.
pub(crate) fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    for (index, (name, value)) in pairs.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
        address.push(if index == 0 { '?' } else { '&' });
        address.push_str(name);
        address.push('=');
        address.push_str(&percent(value));
    }
    address
}

/// The search page for a query over a fixed period.
pub(crate) fn search(query: &str, range: TimeRange) -> String {
    search_with("/search", query, range, &[])
}

/// Any address that takes a query and a fixed period, and what else it takes.
pub(crate) fn search_with(path: &str, query: &str, range: TimeRange, more: &[(&str, &str)]) -> String {
    let bound = |time: Option<DateTime<Utc>>| time.map(precise).unwrap_or_default();
    let (from, to) = (bound(range.from), bound(range.to));
    let mut pairs = vec![("q", query)];
    if path == "/search" {
        pairs.push(("period", "custom"));
    }
    pairs.extend([("from", from.as_str()), ("to", to.as_str())]);
    pairs.extend(more);
    with(path, &pairs)
}

/// To the second where that is all there is to it; else nothing may get lost at the edges of a period.
fn precise(time: DateTime<Utc>) -> String {
    if time.timestamp_subsec_nanos() == 0 { wording::iso(time) } else { rfc3339(time) }
}

/// The search page for what surrounds an instant.
pub(crate) fn around(query: &str, time: DateTime<Utc>, minutes: i64) -> String {
    let delta = TimeDelta::minutes(minutes);
    search(query, TimeRange::between(time - delta, time + delta))
}

/// Whether an address given by a request stays on this site.
pub(crate) fn is_local(address: &str) -> bool {
    let mut characters = address.chars();
    let starts = characters.next() == Some('/') && !matches!(characters.next(), Some('/' | '\\'));
    starts && !address.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        assert_eq!(
            with("/search", &[("q", "a&b=#\"<"), ("from", ""), ("to", "１")]),
            "/search?q=a%26b%3D%23%22%3C&to=%EF%BC%91"
        );
    }

    #[test]
    fn only_addresses_of_this_site_are_local() {
        for address in ["/", "/search?q=a", "/events/1-0"] {
            assert!(is_local(address), "{address}");
        }
        for address in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"] {
            assert!(!is_local(address), "{address}");
        }
    }
}

//! What the parsers of VPN gateways and authentication servers share: what a line means as one value, numbers that
//! devices write, and whose name stands on an event. Owns no format.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::scan::known;
use crate::header::Header;
use crate::stamp;

/// What a line says was done, and how it went.
pub(super) type Meaning = (Category, Action, Outcome);

pub(super) const LOGIN: Meaning = (Category::Authentication, Action::Login, Outcome::Success);
pub(super) const LOGIN_REFUSED: Meaning = (Category::Authentication, Action::Login, Outcome::Failure);
pub(super) const LOGOUT: Meaning = (Category::Authentication, Action::Logout, Outcome::Success);
/// A step of a login that another line reports whole.
pub(super) const STEP: Meaning = (Category::Authentication, Action::Other, Outcome::Success);
pub(super) const STEP_REFUSED: Meaning = (Category::Authentication, Action::Other, Outcome::Failure);
pub(super) const SESSION_START: Meaning = (Category::Session, Action::SessionStart, Outcome::Success);
pub(super) const SESSION_END: Meaning = (Category::Session, Action::SessionEnd, Outcome::Success);
pub(super) const SESSION: Meaning = (Category::Session, Action::Other, Outcome::Unknown);
pub(super) const ADDRESS: Meaning = (Category::Session, Action::AddressAssigned, Outcome::Success);
pub(super) const CONFIG: Meaning = (Category::Configuration, Action::ConfigChange, Outcome::Success);
pub(super) const ACCOUNT: Meaning = (Category::Iam, Action::AccountChange, Outcome::Success);
pub(super) const ALLOW: Meaning = (Category::Network, Action::Allow, Outcome::Success);
pub(super) const DENY: Meaning = (Category::Network, Action::Deny, Outcome::Failure);
pub(super) const NETWORK: Meaning = (Category::Network, Action::Other, Outcome::Unknown);
pub(super) const HOST: Meaning = (Category::Host, Action::Other, Outcome::Unknown);

pub(super) fn mean(draft: &mut Draft<'_>, (category, action, outcome): Meaning) {
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// The same act, failed.
pub(super) fn failed((category, action, _): Meaning) -> Meaning {
    (category, action, Outcome::Failure)
}

/// Names the device: the header's host, unless that is only an address and the body knows better.
pub(super) fn name_device(header: &Header<'_>, own: &str, draft: &mut Draft<'_>) {
    let named = header.host.filter(|host| address(host).is_none());
    draft.event.observer_hostname = named.map(str::to_owned).or_else(|| known(own)).or(header.host.map(str::to_owned));
}

/// A local stamp of the body, with a zone where the device tells one.
pub(super) fn local_time(written: &str, zone: &str) -> Option<PayloadTime> {
    let (mut stamp, _) = stamp::read(written)?;
    stamp.offset = stamp.offset.or_else(|| stamp::offset(zone));
    Some(PayloadTime::Stamp(stamp))
}

/// The first bytes of a body, cut at a character: marks are looked for there, because every parser is asked about every
/// line that nobody has known yet.
pub(super) fn head(body: &str, bytes_max: usize) -> &str {
    body.get(..body.floor_char_boundary(bytes_max)).unwrap_or(body)
}

/// Whether the text holds one of the words, whatever their case (ASCII).
pub(super) fn says(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines made to be read again and again from every place: a reader that is not linear does not come back.
    #[test]
    fn hostile_repetition_is_read_in_linear_time() {
        const LENGTH: usize = 64 * 1024;
        const UNITS: [&str; 8] = ["\" ", "a=b ", " - ", "/", "203.0.113.9:1 ", "] - [", "<", "あ"];
        for start in [
            "2026-03-03 02:14:08 - n - [203.0.113.9] a(b)[c] - ",
            "id=firewall time=\"2026-03-03 02:14:08\" vpn=a realm=\"b\" msg=\"AUT24414: ",
            "id=firewall sn=1 fw=2 m=3 msg=\"",
            "LEEF:1.0|WatchGuard|a|b|11000004|msg=",
            "x msg_id=\"1100-0004\" Allow ",
            "log_type=\"Event\" log_component=\"GUI\" log_id=1 message=\"",
            "2026-03-03 02:14:08 a/203.0.113.9:1 MULTI: primary virtual IP for ",
            "x \"CID-1\" \"SID-A-1\" ",
            "(1) Login incorrect (x): [",
            "\"C\",\"RAS\",03/03/2026,02:14:08,2,",
            "<Event><Computer-Name a>x<Packet-Type a>",
            "default AAA LOGIN_FAILED 1 0 : ",
            ", audit.runtime.x, INFO, ",
            "<1>Mar  3 02:14:08 h notice tmm[1]: 01490500:5: /Common/a:Common:e03c2ca8: ",
            "date=1 device_id=1 log_id=1 pri=1 type=event msg=\"",
            "<1>Mar  3 02:14:08 h charon: 05[IKE] ",
            "",
        ] {
            for unit in UNITS {
                let line = format!("{start}{}", unit.repeat(LENGTH / unit.len()));
                assert!(super::super::testing::parse(line.as_bytes()).parse_status.is_some(), "{start}{unit}");
            }
        }
    }

    #[test]
    fn numbers_of_devices() {
        assert_eq!((known(" a "), known("N/A")), (Some("a".to_owned()), None));
        assert!(says("Login Denied", &["denied"]) && !says("", &["x"]) && !says("ab", &["abc"]));
    }
}

//! Alcatel-Lucent `OmniSwitch`: `swlogd: APPLICATION SUBAPPLICATION level(5) text`.
//!
//! Format: Alcatel-Lucent Enterprise, *`OmniSwitch` AOS Switch Management Guide*, switch logging. Quirks this file owns:
//! * Release 8 writes `swlogd: app sub info(5) text`, release 6 `APP (75) level:`. There are no message ids.
//! * Sessions are prose: `Login by sato from 192.0.2.7 through SSH Success`.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, source_end, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if header.app != Some("swlogd") {
        return false;
    }
    draft.product("alcatel", "alcatel.omniswitch", "Alcatel-Lucent", "OmniSwitch");
    draft.rule("alcatel");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    let (application, rest) = word(header.message);
    let (part, rest) = word(rest);
    let (level, text) = word(rest);
    let is_level = level.ends_with(')') && level.contains('(');
    let text = if is_level { text } else { header.message };
    if is_level {
        draft.native("application", application);
        draft.native("subapplication", part);
        draft.native("level", level);
    }
    for mark in ["Login by ", "userName ", "user "] {
        draft.user(behind(text, mark, &[' ', ',']).unwrap_or(""));
    }
    source_end(behind(text, " from ", &[' ', ',']).unwrap_or(""), draft);
    let (category, action, outcome) = if text.contains("Login by ") {
        let failed = text.to_ascii_lowercase().contains("fail");
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        (Category::Authentication, Action::Login, outcome)
    } else {
        (Category::Host, Action::Other, Outcome::Unknown)
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn lines() {
        check(
            "<134>Mar  3 09:00:00 os1 swlogd: SES AAA info(5) Login by sato from 192.0.2.7 through SSH Success",
            &[
                ("event.dataset", "alcatel.omniswitch"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("observer.hostname", "os1"),
            ],
        );
        check(
            "<134>Mar  3 09:00:00 os1 swlogd: bcmd esm info(5) phy_enable: u=0 p=1",
            &[("event.category", "host"), ("native.application", "bcmd"), ("user.name", "-")],
        );
    }
}

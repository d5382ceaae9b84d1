//! Yamaha RTX, and `MikroTik` before its logins named the far end: the tunnel's line has the address, the call's line has
//! the user, and nothing but the order and the seconds between them says that they belong together. Owns the tunnels that
//! wait for their user.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::{Action, Event, Outcome};
use serde::{Deserialize, Serialize};

/// From `TUNNEL[n] connected from` to `Call detected from user` an RTX takes one to three seconds.
const DIAL_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// Dials remembered per router, and routers: a flood of half-open tunnels must not grow memory.
const DIALS_MAX: usize = 64;
const ROUTERS_MAX: usize = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Dials(BTreeMap<String, VecDeque<Dial>>);

/// A tunnel that connected and whose user is not known yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Dial {
    tunnel: String,
    source: IpAddr,
    at: DateTime<Utc>,
    /// Waited together with others: whoever gets it, it is a guess.
    #[serde(default)]
    doubtful: bool,
}

impl Dials {
    /// Remembers a tunnel's address, or gives it to the user who calls next. True when a field changed.
    pub(super) fn complete(&mut self, router: String, event: &mut Event) -> bool {
        if event.vpn_type.as_deref() != Some("l2tp") {
            return false;
        }
        let is_call = event.action == Some(Action::SessionStart);
        let is_refusal = event.action == Some(Action::Login) && event.outcome == Some(Outcome::Failure);
        match (is_call || is_refusal, event.source_ip) {
            (true, None) => return self.claim(&router, event),
            (true, Some(source)) => self.forget(&router, source),
            (false, Some(_)) if event.user_name.is_none() => self.note(router, event),
            (false, _) => {}
        }
        false
    }

    /// The call named its own tunnel's address.
    fn forget(&mut self, router: &str, source: IpAddr) {
        if let Some(waiting) = self.0.get_mut(router) {
            waiting.retain(|dial| dial.source != source);
        }
    }

    fn note(&mut self, router: String, event: &Event) {
        let Some(source) = event.source_ip else { return };
        let tunnel = event.vpn_session_id.clone().unwrap_or_else(|| source.to_string());
        if !self.0.contains_key(&router) && self.0.len() >= ROUTERS_MAX {
            self.0.pop_first();
        }
        let dials = self.0.entry(router).or_default();
        dials.retain(|dial| dial.tunnel != tunnel);
        if dials.len() >= DIALS_MAX {
            dials.pop_front();
        }
        dials.push_back(Dial { tunnel, source, at: event.time(), doubtful: false });
    }

    /// Gives the user the oldest tunnel that waits for one. Where two wait the join is a guess, and says so.
    fn claim(&mut self, router: &str, event: &mut Event) -> bool {
        let Some(waiting) = self.0.get_mut(router) else { return false };
        let now = event.time();
        waiting.retain(|dial| (now - dial.at).abs() <= DIAL_WITHIN);
        if waiting.len() > 1 {
            for dial in waiting.iter_mut() {
                dial.doubtful = true;
            }
        }
        let Some(dial) = waiting.pop_front() else { return false };
        event.source_ip = Some(dial.source);
        if dial.doubtful {
            event.parse_confidence = Some("low".to_owned());
        }
        true
    }
}

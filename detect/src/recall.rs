//! What earlier lines say of an event: the `seen.*` and `session.*` values of rules. They stand in no event, because they
//! are true only at the event's place in the journal.

use std::borrow::Cow;
use std::net::IpAddr;

use monban_event::{Event, Login, LoginKind};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::lockout::Lockouts;
use crate::seen::{LastSeen, Seen, Senders, network};
use crate::session::Sessions;

/// A value rules can ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recollection<'a> {
    Word(Cow<'a, str>),
    Number(i64),
}

/// Begins the names of what is recalled; a line that has such a name itself does not speak for us.
pub(crate) const PREFIXES: [&str; 2] = ["seen.", "session."];

/// Everything that can be recalled.
pub(crate) const NAMES: [&str; 10] = [
    "seen.source",
    "seen.host",
    "seen.pair",
    "seen.sender",
    "seen.idle_days",
    "seen.lockout",
    "session.user",
    "session.minutes",
    "session.overlap_minutes",
    "session.overlap_source",
];

/// What is recalled of one event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recalled {
    /// `seen.source`: whether the account came from that network on an earlier day of the last 90.
    source: Option<&'static str>,
    /// `seen.host`: … logged on at that machine.
    host: Option<&'static str>,
    /// `seen.pair`: … whether anybody logged on at that machine from that address.
    pair: Option<&'static str>,
    /// `seen.sender`: told at the first record of a source only.
    sender: Option<&'static str>,
    /// `seen.idle_days`: days since the account's last success on an earlier day, as far as we or the roster know.
    idle_days: Option<i64>,
    /// `seen.lockout`: of a failed Windows logon, whether its domain locked anybody lately.
    lockout: Option<&'static str>,
    /// `session.user`: whose open VPN session the source address was assigned to.
    user: Option<String>,
    /// `session.minutes`: how long that session has been open.
    minutes: Option<i64>,
    /// `session.overlap_minutes`: how long the session this line belongs to has run beside another of the same account
    /// from another address.
    overlap_minutes: Option<i64>,
    /// `session.overlap_source`: where that one came from.
    overlap_source: Option<IpAddr>,
}

impl Recalled {
    pub(crate) fn get(&self, name: &str) -> Option<Recollection<'_>> {
        let word = |word: &'static str| Recollection::Word(Cow::Borrowed(word));
        match name {
            "seen.source" => self.source.map(word),
            "seen.host" => self.host.map(word),
            "seen.pair" => self.pair.map(word),
            "seen.sender" => self.sender.map(word),
            "seen.lockout" => self.lockout.map(word),
            "seen.idle_days" => self.idle_days.map(Recollection::Number),
            "session.user" => self.user.as_deref().map(|user| Recollection::Word(Cow::Borrowed(user))),
            "session.minutes" => self.minutes.map(Recollection::Number),
            "session.overlap_minutes" => self.overlap_minutes.map(Recollection::Number),
            "session.overlap_source" => self.overlap_source.map(|ip| Recollection::Word(Cow::Owned(ip.to_string()))),
            _ => None,
        }
    }
}

impl Recollection<'_> {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Word(word) => word.into_owned(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// Successes only, so that an attacker who fails does not become familiar; and what failures say of their domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    sources: Seen,
    hosts: Seen,
    pairs: Seen,
    last: LastSeen,
    senders: Senders,
    #[serde(default)]
    lockouts: Lockouts,
}

impl Memory {
    /// What is known before the event is noted.
    pub(crate) fn recall(&self, sessions: &Sessions, context: &Context, event: &Event) -> Recalled {
        let mut recalled = Recalled::default();
        if let Some(open) = event.source_ip.and_then(|ip| sessions.assigned(ip, event.time())) {
            recalled.minutes = Some((event.time() - open.started).num_minutes());
            recalled.user = Some(open.user.clone());
        }
        recalled.sender = sender(event).and_then(|source| self.senders.newness(source, event.time()));
        match event.login {
            Some(Login::Success) => self.recall_login(context, event, &mut recalled),
            Some(Login::Failure) => recalled.lockout = self.lockouts.recall(event),
            _ => {}
        }
        if let Some((overlap, source)) = sessions.overlap(event) {
            recalled.overlap_minutes = Some(overlap.num_minutes());
            recalled.overlap_source = Some(source);
        }
        recalled
    }

    fn recall_login(&self, context: &Context, event: &Event, recalled: &mut Recalled) {
        let (time, machine) = (event.time(), logged_on_at(event));
        if let Some(user) = &event.user_name {
            recalled.source = event.source_ip.map(|ip| self.sources.familiarity(user, &network(ip), time));
            recalled.host = machine.map(|machine| self.hosts.familiarity(user, machine, time));
            // Before our own time the hospital's directory knows.
            let told =
                || context.days_since_directory_logon(user, time).filter(|_| !self.last.knows_before(user, time));
            recalled.idle_days = self.last.idle_days(user, time).or_else(told);
        }
        if let (Some(machine), Some(ip)) = (machine, event.source_ip) {
            recalled.pair = Some(self.pairs.familiarity(&ip.to_canonical().to_string(), machine, time));
        }
    }

    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(source) = sender(event) {
            self.senders.note(source, event.time());
        }
        self.lockouts.note(event);
        if event.login != Some(Login::Success) {
            return;
        }
        let (time, machine) = (event.time(), logged_on_at(event));
        if let Some(user) = &event.user_name {
            if let Some(ip) = event.source_ip {
                self.sources.note(user, &network(ip), time);
            }
            if let Some(machine) = machine {
                self.hosts.note(user, machine, time);
            }
            self.last.note(user, time);
        }
        if let (Some(machine), Some(ip)) = (machine, event.source_ip) {
            self.pairs.note(&ip.to_canonical().to_string(), machine, time);
        }
    }
}

/// Who sent the record; a file was brought by a person.
fn sender(event: &Event) -> Option<&str> {
    event.source_id.as_deref().filter(|_| event.file_path.is_none())
}

/// The machine a person logged on at; a VPN box is none.
fn logged_on_at(event: &Event) -> Option<&str> {
    let is_machine = matches!(event.login_kind, Some(LoginKind::Windows | LoginKind::Host));
    event.device().filter(|_| is_machine)
}

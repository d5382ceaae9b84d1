//! The logon summary: who logged on, how often, where and from where. Counts what enrichment calls a login, so that the
//! same attempt told by two machines counts once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use monban_event::time::jst_text;
use monban_event::{Event, Login};
use serde_json::{Value, json};

/// Accounts counted by name. A hospital has some thousand; a guesser of names must not grow memory, and those that come
/// above the bound are counted together.
const ACCOUNTS_MAX: usize = 20_000;
/// Machines and addresses named of one account. Who uses more is a service, and their number is what matters.
const PLACES_MAX: usize = 50;
/// Places shown of one account in a table cell.
const PLACES_SHOWN: usize = 5;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Account {
    successes: u64,
    failures: u64,
    hosts: BTreeSet<String>,
    sources: BTreeSet<String>,
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

#[derive(Debug, Default)]
pub(super) struct Logons {
    accounts: BTreeMap<String, Account>,
    /// Log-ins of accounts above the bound.
    pub(super) beyond: u64,
}

impl Logons {
    pub(super) fn count(&mut self, event: &Event) {
        let (Some(login @ (Login::Success | Login::Failure)), Some(user)) = (event.login, &event.user_name) else {
            return;
        };
        if !self.accounts.contains_key(user) {
            if self.accounts.len() >= ACCOUNTS_MAX {
                self.beyond += 1;
                return;
            }
            self.accounts.insert(user.clone(), Account::default());
        }
        if let Some(account) = self.accounts.get_mut(user) {
            account.count(login, event);
        }
    }

    /// The busiest first.
    fn sorted(&self) -> Vec<(&String, &Account)> {
        let mut sorted: Vec<_> = self.accounts.iter().collect();
        sorted.sort_by_key(|(_, account)| std::cmp::Reverse(account.successes + account.failures));
        sorted
    }

    pub(super) const HEADS: [&str; 7] = ["利用者", "成功", "失敗", "機器", "接続元", "最初", "最後"];

    pub(super) fn rows(&self) -> Vec<[String; 7]> {
        let row = |(user, account): (&String, &Account)| {
            let time = |time: Option<DateTime<Utc>>| time.map(jst_text).unwrap_or_default();
            [
                user.clone(),
                account.successes.to_string(),
                account.failures.to_string(),
                places(&account.hosts),
                places(&account.sources),
                time(account.span.map(|(first, _)| first)),
                time(account.span.map(|(_, last)| last)),
            ]
        };
        self.sorted().into_iter().map(row).collect()
    }

    pub(super) fn objects(&self) -> Vec<Value> {
        let object = |(user, account): (&String, &Account)| {
            json!({
                "user.name": user,
                "successes": account.successes,
                "failures": account.failures,
                "hosts": account.hosts,
                "sources": account.sources,
                "first": account.span.map(|(first, _)| first),
                "last": account.span.map(|(_, last)| last),
            })
        };
        self.sorted().into_iter().map(object).collect()
    }
}

impl Account {
    fn count(&mut self, login: Login, event: &Event) {
        match login {
            Login::Success => self.successes += 1,
            _ => self.failures += 1,
        }
        note(&mut self.hosts, event.device());
        let source = event.source_ip.map(|ip| ip.to_string());
        note(&mut self.sources, source.as_deref().or(event.source_domain.as_deref()));
        let time = event.time();
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
    }
}

fn note(places: &mut BTreeSet<String>, place: Option<&str>) {
    if let Some(place) = place.filter(|place| places.len() < PLACES_MAX && !places.contains(*place)) {
        places.insert(place.to_owned());
    }
}

fn places(places: &BTreeSet<String>) -> String {
    let shown = places.iter().take(PLACES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(" ");
    let (count, or_more) = (places.len(), if places.len() >= PLACES_MAX { "以上" } else { "" });
    if count > PLACES_SHOWN { format!("{shown} ほか（計 {count}{or_more}）") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str, login: Login, source: u8, hour: u32) -> Event {
        Event {
            user_name: Some(user.to_owned()),
            login: Some(login),
            host_name: Some("dc01".to_owned()),
            source_ip: Some([192, 0, 2, source].into()),
            event_time: format!("2026-10-25T{hour:02}:00:00+09:00").parse().ok(),
            ..Event::default()
        }
    }

    #[test]
    fn each_account_is_a_line_the_busiest_first() {
        let mut logons = Logons::default();
        logons.count(&login("sato", Login::Success, 1, 9));
        for (source, hour) in (1..=7).zip([8, 12, 10, 9, 11, 9, 9]) {
            logons.count(&login("yamada", Login::Failure, source, hour));
        }
        logons.count(&login("yamada", Login::Repeat, 99, 23));
        logons.count(&Event::default());
        let sources = "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 ほか（計 7）";
        let yamada = ["yamada", "0", "7", "dc01", sources, "2026/10/25 08:00:00", "2026/10/25 12:00:00"];
        assert_eq!(logons.rows()[0], yamada);
        assert_eq!(logons.rows()[1][..3], ["sato", "1", "0"]);
        assert_eq!(logons.objects()[1]["sources"], json!(["192.0.2.1"]));
    }

    #[test]
    fn a_guesser_of_names_does_not_grow_memory() {
        let mut logons = Logons::default();
        for number in 0..ACCOUNTS_MAX + 5 {
            logons.count(&login(&format!("user{number}"), Login::Failure, 1, 1));
        }
        assert_eq!((logons.rows().len(), logons.beyond), (ACCOUNTS_MAX, 5));
    }
}

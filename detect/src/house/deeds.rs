//! What was done with this product: what weakens the watch (settings, exceptions, holds, tokens) or takes data out, and what
//! its own check of the journal found. Of who stood beside it an act says little; what it does say is in the fact, and
//! a fact that says `quiet` needs nobody.

mod settings;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use monban_event::account::fold;
use monban_event::act::{ContextName, Damage, Deed};
use monban_event::time::finding_day;
use monban_event::{Act, Event, EventId, RecordId};
use serde::{Deserialize, Serialize};

use super::fact::{fact, say};
use settings::Settings;

/// The kinds of facts: of what people did, and of the journal itself.
const DEED: &str = "deed";
const JOURNAL: &str = "journal";

/// Whoever sets the product up changes and grants much within its first week; nobody is kept from anything by then.
const SETUP: TimeDelta = TimeDelta::days(7);
/// Exports are counted over this long.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// A person who looks into something takes out a list or two at a time; so many an hour is a program or a collection.
const EXPORTS_AN_HOUR: usize = 20;
/// … and so many events are more than anybody reads: a day of a small hospital.
const EVENTS_AN_HOUR: u64 = 100_000;
/// Exports remembered of one account; above it the number is beyond any bound already.
const EXPORTS_MAX: usize = 1_000;
/// Accounts remembered, for their day and their exports. A hospital has some ten; above it those first in the alphabet
/// are let go, and their day begins anew.
const ACCOUNTS_MAX: usize = 1_000;
/// Places of damage that were told; a disk with more of them is told again, which is right.
const DAMAGE_MAX: usize = 10_000;

/// What a token may do that nobody has to give away without a thought: read everything, decide, change settings.
const WIDE: [&str; 3] = ["admin", "findings:review", "events:read"];

/// Reports are made to be taken out. Their acts name no number of events, nor do those of earlier versions.
const REPORTS: [&str; 2] = ["月次監査 ", "audit "];

/// The program itself, which finds at a start what somebody changed in its files.
const PROGRAM: &str = "monban";
/// … and whom nobody can ask: it was somebody who may write on the server.
const SERVER: &str = "門番のサーバ";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Deeds {
    /// When the first act was.
    began: Option<DateTime<Utc>>,
    /// How people are called, by account.
    names: BTreeMap<String, String>,
    settings: Settings,
    /// Context files that say something.
    files: BTreeSet<String>,
    /// Program version and rules of the last start.
    epoch: Option<(String, String)>,
    accounts: BTreeMap<String, Account>,
    /// First numbers of the damage that was told.
    damage: BTreeSet<u64>,
}

/// What one account did lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    day: NaiveDate,
    /// How often each thing was done on that day.
    done: BTreeMap<String, u64>,
    /// Times and numbers of events.
    exports: VecDeque<(DateTime<Utc>, u64)>,
}

/// Something that may have to be asked about.
struct Done {
    /// For rules.
    deed: &'static str,
    /// For people.
    name: &'static str,
    what: String,
    /// Why nobody has to be asked.
    quiet: Option<&'static str>,
}

impl Deeds {
    pub(crate) fn act(&mut self, id: RecordId, act: &Act, facts: &mut Vec<Event>) {
        let began = *self.began.get_or_insert(act.at);
        if let Deed::Verified { damage, more, .. } = &act.deed {
            facts.extend(self.verified((id, act.at), damage, *more));
        }
        let Some(mut done) = self.done(act) else { return };
        if act.at - began < SETUP {
            done.quiet = Some("setup");
        }
        facts.push(self.fact((id, act), &done));
    }

    /// These numbers cannot be read any more.
    pub(crate) fn gap(&mut self, (from, to): (RecordId, RecordId), at: DateTime<Utc>, facts: &mut Vec<Event>) {
        let what = "書き終えたはずの記録を読み出せません".to_owned();
        let damage = Damage { first: from, last: to, what };
        if self.is_untold(&damage) {
            facts.push(damaged("gap", (from, at), &damage, 0));
        }
    }

    /// Told once a place: a place that stays damaged comes round with every turn of the check.
    fn verified(&mut self, (id, at): (RecordId, DateTime<Utc>), damage: &[Damage], more: u64) -> Option<Event> {
        let untold: Vec<&Damage> = damage.iter().filter(|damage| self.is_untold(damage)).collect();
        let first = untold.first()?;
        Some(damaged("mismatch", (id, at), first, untold.len() as u64 - 1 + more))
    }

    fn is_untold(&mut self, damage: &Damage) -> bool {
        self.damage.len() >= DAMAGE_MAX || self.damage.insert(damage.first.0)
    }

    fn done(&mut self, act: &Act) -> Option<Done> {
        match &act.deed {
            Deed::UserCreated { name, display_name, .. } => {
                self.names.insert(name.clone(), folded(display_name));
                None
            }
            Deed::ExceptionGranted { scope, owner, .. } => {
                let what = format!("{} の {} について", scope.rule, scope.subject);
                let quiet = self.is_another(owner, &act.by).then_some("second");
                Some(Done { deed: "exception", name: "例外の登録", what, quiet })
            }
            Deed::Context { name: ContextName::Config, text, .. } => self.configured(text),
            Deed::Context { name, text, .. } => self.emptied(*name, text.is_empty()),
            Deed::Epoch { program_version, rules, .. } => self.started(program_version, rules),
            Deed::HoldReleased { name, .. } => {
                Some(Done { deed: "hold_released", name: "保全の解除", what: name.clone(), quiet: None })
            }
            Deed::TokenCreated { name, scopes, .. } => {
                let is_wide = scopes.iter().any(|scope| WIDE.contains(&scope.as_str()));
                let what = format!("{name}（{}）", scopes.join("、"));
                Some(Done { deed: "token", name: "トークンの作成", what, quiet: (!is_wide).then_some("narrow") })
            }
            Deed::Exported { what, events, .. } => self.exported(act, what, *events),
            _ => None,
        }
    }

    /// Whether the owner is a person other than who entered it. That he has looked at it no act says.
    fn is_another(&self, owner: &str, by: &str) -> bool {
        let is_person = !by.starts_with("token:") && !["console", PROGRAM].contains(&by);
        let owner = folded(owner);
        is_person && !owner.is_empty() && owner != folded(by) && self.names.get(by) != Some(&owner)
    }

    fn configured(&mut self, text: &str) -> Option<Done> {
        let settings = Settings::read(text)?;
        let weaker = settings.weaker_than(&self.settings);
        self.settings = settings;
        let what = weaker.join("、");
        (!what.is_empty()).then_some(Done { deed: "config", name: "設定の緩和", what, quiet: None })
    }

    fn emptied(&mut self, name: ContextName, is_empty: bool) -> Option<Done> {
        let name = name.as_str().to_owned();
        if !is_empty {
            self.files.insert(name);
            return None;
        }
        let what = format!("{name} を使わなくした");
        self.files.remove(&name).then_some(Done { deed: "config", name: "設定の緩和", what, quiet: None })
    }

    /// Other rules with the same program: somebody changed them. A new program brings its own.
    fn started(&mut self, version: &str, rules: &str) -> Option<Done> {
        let before = self.epoch.replace((version.to_owned(), rules.to_owned()))?;
        let what = format!("ルールの指紋 {} から {rules} へ", before.1);
        let is_changed = before.0 == version && before.1 != rules;
        is_changed.then_some(Done { deed: "rules", name: "検知ルールの入れ替え", what, quiet: None })
    }

    fn exported(&mut self, act: &Act, what: &str, events: Option<u64>) -> Option<Done> {
        if events.is_none() && REPORTS.iter().any(|report| what.starts_with(report)) {
            return None;
        }
        let exports = &mut self.account(&act.by, act.at).exports;
        exports.retain(|(at, _)| act.at - *at < HOUR);
        if exports.len() >= EXPORTS_MAX {
            exports.pop_front();
        }
        exports.push_back((act.at, events.unwrap_or(0)));
        let (times, events) = (exports.len(), exports.iter().map(|(_, events)| events).sum::<u64>());
        let is_bulk = times >= EXPORTS_AN_HOUR || events >= EVENTS_AN_HOUR;
        let what = format!("1 時間に {times} 回、{events} 件");
        is_bulk.then_some(Done { deed: "export", name: "大量の出力", what, quiet: None })
    }

    fn fact(&mut self, (id, act): (RecordId, &Act), done: &Done) -> Event {
        let account = if act.by == PROGRAM { SERVER } else { &act.by };
        let mut fact = fact(DEED, EventId::new(id, 0), act.at);
        say(&mut fact, "deed", &done.deed);
        say(&mut fact, "account", &account);
        say(&mut fact, "what", &format!("{}（{}）", done.name, done.what));
        if let Some(quiet) = done.quiet {
            say(&mut fact, "quiet", &quiet);
        } else {
            let done_today = self.done_today(account, act.at, done.name);
            say(&mut fact, "list", &done_today);
        }
        fact
    }

    /// Everything the account did on that day, with this.
    fn done_today(&mut self, account: &str, at: DateTime<Utc>, name: &str) -> String {
        let done = &mut self.account(account, at).done;
        *done.entry(name.to_owned()).or_default() += 1;
        let told: Vec<String> = done.iter().map(|(name, count)| format!("{name} {count} 件")).collect();
        told.join("、")
    }

    fn account(&mut self, name: &str, at: DateTime<Utc>) -> &mut Account {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(name) {
            self.accounts.pop_first();
        }
        let account = self.accounts.entry(name.to_owned()).or_default();
        let day = finding_day(at);
        if account.day != day {
            (account.day, account.done) = (day, BTreeMap::new());
        }
        account
    }
}

fn damaged(kind: &str, (id, at): (RecordId, DateTime<Utc>), damage: &Damage, others: u64) -> Event {
    let Damage { first, last, what } = damage;
    let mut fact = fact(JOURNAL, EventId::new(id, 0), at);
    say(&mut fact, "damage", &kind);
    say(&mut fact, "store", &"門番が保管した記録");
    let place = if first == last { format!("番号 {first}") } else { format!("番号 {first}〜{last}") };
    say(&mut fact, "place", &place);
    let others = if others > 0 { format!("、ほか {others} か所") } else { String::new() };
    say(&mut fact, "what", &format!("{what}{others}"));
    fact
}

/// A name as it is compared: how it is spaced and in which width does not matter.
fn folded(name: &str) -> String {
    fold(name).chars().filter(|letter| !letter.is_whitespace()).collect()
}

#[cfg(test)]
mod tests;

//! Accounts that nobody uses. Owns the last success of every account, and looks once a month at what the roster calls
//! enabled. One finding for the month, because a clerk answers one list faster than thirty letters.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::time::{Month, jst_date, jst_midnight};
use monban_event::{Event, EventId, Finding};
use serde::{Deserialize, Serialize};

use super::Missing;
use crate::context::{AccountClass, AccountState};
use crate::rule::{AbsenceOf, Spoken};

/// Accounts remembered. A hospital has some thousand; failed guesses are no successes and do not come here.
const ACCOUNTS_MAX: usize = 100_000;
/// The directory's own stamp of the last logon may be so much too old.
const DIRECTORY_LAG: TimeDelta = TimeDelta::days(14);
/// Accounts named in a finding; the report's table lists all.
const NAMED_MAX: usize = 50;
const STALE: &str = "長期未使用アカウント";
const NEVER_USED: &str = "一度も使われていないアカウント";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unused {
    last: BTreeMap<String, (DateTime<Utc>, EventId)>,
    /// The earliest success we know of: before it we know nothing.
    since: Option<DateTime<Utc>>,
    /// The month that was looked at last, `2026-10`.
    done: Option<String>,
}

struct Stale {
    account: String,
    class: AccountClass,
    last: Option<EventId>,
}

impl Unused {
    pub(crate) fn observe(&mut self, event: &Event) {
        let Some(user) = event.user_name.as_deref() else { return };
        let time = event.time();
        self.since = Some(self.since.map_or(time, |since| since.min(time)));
        if let Some(last) = self.last.get_mut(user) {
            *last = (*last).max((time, event.id));
            return;
        }
        if self.last.len() >= ACCOUNTS_MAX {
            self.make_room();
        }
        self.last.insert(user.to_owned(), (time, event.id));
    }

    /// Once a month, as soon as there is a roster. `None` where every account is used.
    pub(crate) fn tick(&mut self, missing: Missing<'_>, now: DateTime<Utc>) -> Option<Finding> {
        let month = Month::of(now);
        if !missing.context.roster_known() || self.done.as_deref() == Some(&month.to_string()) {
            return None;
        }
        self.done = Some(month.to_string());
        let accounts = missing.context.listed_accounts();
        let stale: Vec<Stale> = accounts.into_iter().filter_map(|account| self.stale(missing, account, now)).collect();
        (!stale.is_empty()).then(|| finding(missing, month, &stale))
    }

    fn stale(&self, missing: Missing<'_>, account: &str, now: DateTime<Utc>) -> Option<Stale> {
        let facts = missing.context.account(account, now);
        // Break-glass accounts are meant to lie unused; people on leave are listed apart in the report.
        let expected = facts.state == Some(AccountState::Active)
            && !matches!(facts.class, AccountClass::Emergency | AccountClass::System);
        let horizon = now - missing.absence.after(facts.class.as_str());
        let made = self.never_used_since(missing, account, now);
        let since = match missing.absence.of {
            AbsenceOf::AccountsNeverUsed => made?,
            // What was never used is told by the rule about that.
            _ if made.is_some() => return None,
            _ => self.latest_sign(missing, account, now)?,
        };
        let last = self.last.get(account).map(|(_, event)| *event);
        (expected && since < horizon).then(|| Stale { account: account.to_owned(), class: facts.class, last })
    }

    /// When an account was made that is known never to have been used: no success came to us since, or the directory,
    /// which tells of the others, tells none.
    fn never_used_since(&self, missing: Missing<'_>, account: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let person = missing.context.person(account, jst_date(now))?;
        let made = person.hired.map(jst_midnight)?;
        let has_sign = person.last_logon.is_some() || self.last.contains_key(account);
        let directory_tells = missing.context.people().iter().any(|person| person.last_logon.is_some());
        let watched = self.since.is_some_and(|since| since <= made);
        (!has_sign && (directory_tells || watched)).then_some(made)
    }

    /// The latest moment at which the account may have been in use; `None` where we cannot know yet.
    fn latest_sign(&self, missing: Missing<'_>, account: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let person = missing.context.person(account, jst_date(now));
        let directory = person.and_then(|person| person.last_logon).map(|day| jst_midnight(day) + DIRECTORY_LAG);
        let hired = person.and_then(|person| person.hired).map(jst_midnight);
        let logged = self.last.get(account).map(|(time, _)| *time);
        let known = logged.or(directory).or(self.since)?;
        Some([directory, hired, logged].into_iter().flatten().fold(known, DateTime::max))
    }

    /// Drops a twentieth, the longest unused.
    fn make_room(&mut self) {
        let mut times: Vec<DateTime<Utc>> = self.last.values().map(|(time, _)| *time).collect();
        times.sort_unstable();
        let horizon = times.get(ACCOUNTS_MAX / 20).copied().unwrap_or_default();
        self.last.retain(|_, (time, _)| *time > horizon);
    }
}

fn finding(missing: Missing<'_>, month: Month, stale: &[Stale]) -> Finding {
    let privileged =
        stale.iter().filter(|stale| matches!(stale.class, AccountClass::Admin | AccountClass::Vendor)).count();
    let object = names(stale);
    let row = missing.slots.row(&[
        ("absence.kind", if privileged > 0 { "privileged" } else { "ordinary" }.to_owned()),
        ("absence.privileged", privileged.to_string()),
    ]);
    let voice = missing.voice;
    let count = stale.len() as u64;
    let subject = if missing.absence.of == AbsenceOf::AccountsNeverUsed { NEVER_USED } else { STALE };
    let spoken = Spoken { subject, object: &object, count, first: month.start(), last: month.start(), distinct: count };
    Finding {
        id: Finding::make_id(&voice.rule_id, subject, &object, month.start(), 0),
        rule_id: voice.rule_id.clone(),
        rule_title: voice.title.clone(),
        rule_version: voice.version.clone(),
        severity: voice.severity(&row, &[], count),
        subject: subject.to_owned(),
        first: month.start(),
        // Of the month, and not of the moment at which somebody looked: a replay looks at another.
        last: month.start(),
        count,
        summary: voice.summary(missing.slots, &row, &spoken),
        evidence: stale.iter().filter_map(|stale| stale.last).take(monban_event::finding::EVIDENCE_MAX).collect(),
        sources: BTreeSet::new(),
        object,
    }
}

fn names(stale: &[Stale]) -> String {
    let mut text: Vec<&str> = stale.iter().take(NAMED_MAX).map(|stale| stale.account.as_str()).collect();
    let more = format!("ほか {} 件", stale.len().saturating_sub(NAMED_MAX));
    if stale.len() > NAMED_MAX {
        text.push(&more);
    }
    text.join("、")
}

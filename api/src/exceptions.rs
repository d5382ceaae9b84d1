//! Granting and ending exceptions, and declaring disasters: what pages and API take of it, checked the same way. A wish
//! that cannot be taken is told in words; nothing is journaled before all of it is right.

use chrono::{DateTime, Months, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::exception::{DISASTER_MAX, EXCEPTION_MONTHS_MAX, PREVIEW};
use monban_event::time::jst_date;
use monban_event::{RuleId, Scope, TimeRange};
use monban_index::ledger::{DisasterRow, ExceptionRow, FindingFilter, FindingRow};
use serde::Deserialize;

use crate::app::Visit;
use crate::limits::{EXCEPTIONS_MAX, NAME_BYTES_MAX, NOTE_BYTES_MAX, SCOPE_BYTES_MAX};
use crate::problem::Problem;
use crate::view::period;

/// An exception as it is asked for, in texts. Of a preview only the scope is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    pub(crate) rule: String,
    pub(crate) subject: String,
    pub(crate) object: String,
    pub(crate) network: String,
    pub(crate) reason: String,
    pub(crate) owner: String,
    /// Now, where it is empty.
    pub(crate) from: String,
    /// A day counts to its end.
    pub(crate) until: String,
}

/// Why something ends, and for a disaster when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ending {
    pub(crate) reason: String,
    pub(crate) until: String,
}

/// A disaster as it is declared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Declared {
    pub(crate) reason: String,
    pub(crate) from: String,
    pub(crate) until: String,
}

impl Wanted {
    pub(crate) fn scope(&self, visit: &Visit) -> Result<Scope, Problem> {
        let text = |text: &str| text.trim().to_owned();
        let scope = Scope {
            rule: RuleId(text(&self.rule)),
            subject: text(&self.subject),
            object: text(&self.object),
            network: text(&self.network),
        };
        if !is_known(visit, &scope.rule)? {
            return Err(Problem::bad_request(format!("「{}」というルールはありません。", scope.rule)));
        }
        if !scope.names_somebody() {
            return Err(Problem::bad_request(
                "対象を書いてください。ルール全体を例外にすることはできません（* だけの対象は使えません）。",
            ));
        }
        if !scope.names_a_network() {
            return Err(Problem::bad_request(format!(
                "接続元「{}」はアドレスか網として読めません。例: 203.0.113.7 または 203.0.113.0/29",
                scope.network
            )));
        }
        if [&scope.subject, &scope.object].iter().any(|part| part.len() > SCOPE_BYTES_MAX) {
            return Err(Problem::bad_request("対象が長すぎます。"));
        }
        Ok(scope)
    }

    /// From when until when.
    fn span(&self, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        let from = match self.from.trim() {
            "" => now,
            text => instant("開始", text)?,
        };
        let until = last_instant("期限", self.until.trim())?;
        if until <= now || until <= from {
            return Err(Problem::bad_request("期限は、開始と今より後にしてください。"));
        }
        if [from, now].iter().any(|start| is_beyond_a_year(*start, until)) {
            return Err(Problem::bad_request(format!(
                "期限は {EXCEPTION_MONTHS_MAX} か月以内にしてください。続けるときは、見直したうえで登録し直します。"
            )));
        }
        Ok((from, until))
    }
}

/// By the day, so that the same day of the next year is the last.
fn is_beyond_a_year(start: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    let latest = jst_date(start).checked_add_months(Months::new(EXCEPTION_MONTHS_MAX));
    latest.is_none_or(|latest| jst_date(until - TimeDelta::microseconds(1)) > latest)
}

fn instant(what: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    let complaint = || Problem::bad_request(format!("{what}「{text}」は日時として読めません。例: 2026-11-20T08:30"));
    period::instant(text).ok_or_else(complaint)
}

fn last_instant(what: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    if text.is_empty() {
        return Err(Problem::bad_request(format!("{what}を書いてください。")));
    }
    let is_day = text.chars().count() == 10;
    instant(what, text).map(|time| if is_day { time + TimeDelta::days(1) } else { time })
}

fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::bad_request("理由を書いてください。"));
    }
    if text.len() > NOTE_BYTES_MAX {
        return Err(Problem::bad_request("理由が長すぎます。"));
    }
    Ok(text.to_owned())
}

/// A rule in force, or one that found something once.
fn is_known(visit: &Visit, rule: &RuleId) -> Result<bool, Problem> {
    if visit.app.services.rules.title(rule).is_some() {
        return Ok(true);
    }
    let filter = FindingFilter { rule: Some(rule.0.clone()), ..FindingFilter::default() };
    Ok(!visit.app.ledger()?.findings(&filter)?.is_empty())
}

/// What an exception would have classified: the findings of the last 90 days that it covers, worst first.
pub(crate) fn preview(visit: &Visit, scope: &Scope) -> Result<Vec<FindingRow>, Problem> {
    let now = visit.app.now();
    let range = TimeRange { from: Some(now - PREVIEW), to: None };
    Ok(visit.app.ledger()?.findings_covered(scope, range)?)
}

/// Checks everything about a wish and says what would be journaled.
pub(crate) fn check(visit: &Visit, wanted: &Wanted) -> Result<Deed, Problem> {
    let now = visit.app.now();
    let scope = wanted.scope(visit)?;
    let reason = reason(&wanted.reason)?;
    let owner = wanted.owner.trim();
    if owner.is_empty() || owner.len() > NAME_BYTES_MAX {
        return Err(Problem::bad_request("責任者の名前を書いてください（40 文字まで）。"));
    }
    let (from, until) = wanted.span(now)?;
    let in_force: Vec<ExceptionRow> =
        visit.app.ledger()?.exceptions()?.into_iter().filter(|row| row.ended.is_none() && row.until > now).collect();
    if let Some(known) = in_force.iter().find(|row| row.scope == scope && row.until >= until && row.from <= from) {
        return Err(Problem::conflict(format!("同じ範囲の例外 {} がもう登録されています。", known.id)));
    }
    if in_force.len() >= EXCEPTIONS_MAX {
        return Err(Problem::conflict(format!(
            "有効な例外が {EXCEPTIONS_MAX} 件あります。要らなくなったものを取り消してから登録してください。"
        )));
    }
    let scope = Box::new(scope);
    Ok(Deed::ExceptionGranted { id: new_id("EX"), scope, reason, owner: owner.to_owned(), from, until })
}

pub(crate) fn grant(visit: &Visit, wanted: &Wanted) -> Result<ExceptionRow, Problem> {
    let deed = check(visit, wanted)?;
    let Deed::ExceptionGranted { id, .. } = &deed else { unreachable!("checking gives a grant") };
    let id = id.clone();
    visit.act(deed)?;
    exception(visit, &id)
}

pub(crate) fn exception(visit: &Visit, id: &str) -> Result<ExceptionRow, Problem> {
    let found = visit.app.ledger()?.exception(id)?;
    found.ok_or_else(|| Problem::not_found("この番号の例外はありません。"))
}

pub(crate) fn end(visit: &Visit, id: &str, ending: &Ending) -> Result<ExceptionRow, Problem> {
    let known = exception(visit, id)?;
    let reason = reason(&ending.reason)?;
    if known.ended.is_some() || known.until <= visit.app.now() {
        return Err(Problem::conflict("この例外はもう終わっています。"));
    }
    visit.act(Deed::ExceptionEnded { id: known.id, reason })?;
    exception(visit, id)
}

pub(crate) fn declare(visit: &Visit, declared: &Declared) -> Result<DisasterRow, Problem> {
    let now = visit.app.now();
    let reason = reason(&declared.reason)?;
    if reason.len() > NAME_BYTES_MAX {
        return Err(Problem::bad_request(
            "理由は、検知の名前になるので 40 文字までで書いてください（例: 台風による停電）。",
        ));
    }
    let from = match declared.from.trim() {
        "" => now,
        text => instant("開始", text)?,
    };
    let until = match declared.until.trim() {
        "" => None,
        text => Some(last_instant("終了", text)?),
    };
    let longest = from + DISASTER_MAX;
    if from > now || until.is_some_and(|until| until <= from || until > longest) {
        return Err(Problem::bad_request(format!(
            "開始は今までの日時、終了は開始から {} 日以内にしてください。",
            DISASTER_MAX.num_days()
        )));
    }
    if visit.app.ledger()?.disasters()?.iter().any(|row| row.until > now) {
        return Err(Problem::conflict("災害モードはもう宣言されています。終わらせてから宣言し直してください。"));
    }
    let id = new_id("DM");
    visit.act(Deed::DisasterDeclared { id: id.clone(), reason, from, until })?;
    disaster(visit, &id)
}

fn disaster(visit: &Visit, id: &str) -> Result<DisasterRow, Problem> {
    let rows = visit.app.ledger()?.disasters()?;
    rows.into_iter().find(|row| row.id == id).ok_or_else(|| Problem::not_found("この番号の災害モードはありません。"))
}

pub(crate) fn end_disaster(visit: &Visit, id: &str, ending: &Ending) -> Result<DisasterRow, Problem> {
    let now = visit.app.now();
    let known = disaster(visit, id)?;
    let reason = reason(&ending.reason)?;
    let until = match ending.until.trim() {
        "" => now,
        text => last_instant("終了", text)?,
    };
    if known.ended.is_some() || known.until <= now {
        return Err(Problem::conflict("この災害モードはもう終わっています。"));
    }
    if until <= known.from || until > known.until {
        return Err(Problem::bad_request("終了は、開始より後で、はじめに決めた終了より前にしてください。"));
    }
    visit.act(Deed::DisasterEnded { id: known.id, until, reason })?;
    disaster(visit, id)
}

/// Eight digits tell the exceptions of a hospital's life apart, and can be read out over the telephone.
const ID_BYTES: usize = 4;

fn new_id(prefix: &str) -> String {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes from its first minute on");
    format!("{prefix}-{}", monban_event::id::hex(&bytes))
}

//! What a rule says beyond Sigma: the keys under `monban:`, as written and as meant. Owns their form and nothing of
//! their evaluation. `rules/README.md` is the manual of these keys.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::time::JST;
use monban_event::{Disaster, RuleId, Severity};
use serde::Deserialize;

use crate::context::duration;
use crate::correlate::WindowTest;
use crate::fields::{Slots, Values, first};

/// What a person reads of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTexts {
    /// 何が起きたか
    pub what: String,
    /// なぜ検知したか
    pub why: String,
    /// 確認のしかた
    pub how: String,
    /// よくある正当な理由
    pub legitimate: String,
}

/// A number in a rule that the hospital may change, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    pub name: String,
    pub value: u64,
    pub min: u64,
    pub max: u64,
}

/// A rule as listed on the page of rules. Several documents of one id (two windows of one rule) are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    pub id: RuleId,
    pub title_ja: String,
    pub title_en: String,
    /// The severity the rule starts from; single findings may stand above or below it.
    pub severity: Severity,
    pub texts: RuleTexts,
    pub tags: Vec<String>,
    /// Items of the checklist it gives evidence for.
    pub checklist: Vec<String>,
    /// Logs and files it cannot run without.
    pub needs: Vec<String>,
    pub version: String,
    pub thresholds: Vec<Threshold>,
    /// It is about what was never seen before, and runs one level lower while much is new.
    pub first_seen: bool,
    /// It is about work outside hours, which is one case in a disaster.
    pub after_hours: bool,
    pub file: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AsWritten {
    title: Option<String>,
    version: Option<Scalar>,
    texts: TextsAsWritten,
    summary: Option<String>,
    subject: Option<OneOrMany>,
    object: Option<OneOrMany>,
    checklist: Vec<String>,
    needs: Vec<String>,
    levels: Vec<LevelAsWritten>,
    thresholds: Vec<ThresholdAsWritten>,
    window: Option<WindowAsWritten>,
    ratio: Option<RatioAsWritten>,
    absence: Option<AbsenceAsWritten>,
    first_seen: bool,
    after_hours: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TextsAsWritten {
    what: String,
    why: String,
    how: String,
    legitimate: String,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Number(i64),
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum OneOrMany {
    One(Scalar),
    Many(Vec<Scalar>),
}

impl OneOrMany {
    fn texts(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.text()],
            Self::Many(many) => many.iter().map(Scalar::text).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelAsWritten {
    level: String,
    #[serde(default)]
    when: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    when_any: BTreeMap<String, OneOrMany>,
    count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdAsWritten {
    name: String,
    of: ThresholdOf,
    min: u64,
    max: u64,
}

/// Which number of the document a threshold is: the condition's, the window's in minutes, or an absence's.
#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum ThresholdOf {
    Count,
    Minutes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowAsWritten {
    any_of: Vec<TestAsWritten>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestAsWritten {
    distinct: Option<String>,
    gte: Option<u64>,
    field: Option<String>,
    is: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatioAsWritten {
    against: String,
    gte: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AbsenceAsWritten {
    of: AbsenceOf,
    after: BTreeMap<String, String>,
    #[serde(default)]
    min: Option<String>,
    #[serde(default)]
    max: Option<String>,
}

/// Of what the rule misses the matches.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AbsenceOf {
    /// Sources that should be sending.
    Sources,
    /// Several of them that fell silent at one time.
    SourcesTogether,
    /// Listed accounts that should be used, and were at some time.
    Accounts,
    /// Listed accounts that are known never to have been used.
    AccountsNeverUsed,
}

/// After how long without a match, by kind of source or class of account; `default` stands for the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Absence {
    pub(crate) of: AbsenceOf,
    after: BTreeMap<String, TimeDelta>,
    default: TimeDelta,
}

impl Absence {
    pub(crate) fn after(&self, kind: &str) -> TimeDelta {
        self.after.get(kind).copied().unwrap_or(self.default)
    }
}

/// A condition on the values of one event: every field must hold one of its values.
type Condition = Vec<(usize, Vec<String>)>;

/// A severity and when it holds.
#[derive(Clone, Debug, PartialEq)]
struct Level {
    severity: Severity,
    when: Condition,
    when_any: Condition,
    count: u64,
}

/// How matches of a rule become findings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Voice {
    pub(crate) rule_id: RuleId,
    pub(crate) title: String,
    pub(crate) version: String,
    severity: Severity,
    subject: Vec<usize>,
    object: Vec<usize>,
    source: usize,
    levels: Vec<Level>,
    summary: String,
    pub(crate) first_seen: bool,
    pub(crate) after_hours: bool,
}

/// What of a document is not Sigma's.
pub(crate) struct Extras {
    pub(crate) voice: Voice,
    pub(crate) info: RuleInfo,
    pub(crate) any_of: Vec<WindowTest>,
    pub(crate) ratio: Option<(String, f64)>,
    pub(crate) absence: Option<Absence>,
}

/// What every document says in Sigma's own keys.
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) level: Severity,
    pub(crate) version: &'a str,
    pub(crate) tags: &'a [String],
    pub(crate) file: &'a str,
    /// Threshold and window (minutes) of a correlation.
    pub(crate) numbers: Option<(u64, u64)>,
    pub(crate) attributes: &'a serde_json::Value,
}

/// Why a document's `monban:` part was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExtrasError {
    #[error("monban: {0}")]
    Form(String),
    #[error("monban.levels: \"{0}\" is no level")]
    Level(String),
    #[error("monban.thresholds: {name} is {value}, outside {min} to {max}")]
    Threshold { name: String, value: u64, min: u64, max: u64 },
    #[error("monban.thresholds: only a correlation has a count and a window")]
    NoNumber,
    #[error("monban.window: a test is either distinct and gte, or field and is")]
    WindowTest,
    #[error("monban.absence: \"{0}\" is no span, or not within min and max")]
    Span(String),
    #[error("monban.absence: after.default is missing")]
    NoDefault,
}

/// Default grouping: the account, else the address, else the machine.
const SUBJECT: [&str; 3] = ["user.name", "source.ip", "device"];
/// The sentence of a rule that brings none of its own.
const SUMMARY: &str = "「{title}」に当てはまる記録が {subject} について {count} 件あります（{first}〜{last}）。";

impl Extras {
    pub(crate) fn read(head: &Head<'_>, slots: &mut Slots) -> Result<Self, ExtrasError> {
        let written = match head.attributes.get("monban") {
            Some(keys) => AsWritten::deserialize(keys).map_err(|error| ExtrasError::Form(error.to_string()))?,
            None => AsWritten::default(),
        };
        let slot_list = |fields: Option<&OneOrMany>, default: &[&str], slots: &mut Slots| -> Vec<usize> {
            let named = fields.map_or_else(|| default.iter().map(|&name| name.to_owned()).collect(), OneOrMany::texts);
            named.iter().map(|name| slots.slot(name)).collect()
        };
        let version = written.version.as_ref().map_or_else(|| head.version.to_owned(), Scalar::text);
        let title = written.title.clone().unwrap_or_else(|| head.title.to_owned());
        let voice = Voice {
            rule_id: RuleId::new(head.id),
            title: title.clone(),
            version: version.clone(),
            severity: head.level,
            subject: slot_list(written.subject.as_ref(), &SUBJECT, slots),
            object: slot_list(written.object.as_ref(), &[], slots),
            source: slots.slot("source.ip"),
            levels: levels(&written.levels, slots)?,
            summary: written.summary.clone().unwrap_or_else(|| SUMMARY.to_owned()),
            first_seen: written.first_seen,
            after_hours: written.after_hours,
        };
        for name in placeholders(&voice.summary) {
            if !SPOKEN.contains(&name) {
                slots.slot(name);
            }
        }
        Ok(Self {
            info: info(head, &written, title, version)?,
            voice,
            any_of: window_tests(written.window.as_ref(), slots)?,
            ratio: written.ratio.as_ref().map(|ratio| (ratio.against.clone(), ratio.gte)),
            absence: written.absence.as_ref().map(absence).transpose()?,
        })
    }
}

fn info(head: &Head<'_>, written: &AsWritten, title: String, version: String) -> Result<RuleInfo, ExtrasError> {
    let texts = &written.texts;
    let trim = |text: &str| text.trim().to_owned();
    Ok(RuleInfo {
        id: RuleId::new(head.id),
        title_ja: title,
        title_en: head.title.to_owned(),
        severity: head.level,
        texts: RuleTexts {
            what: trim(&texts.what),
            why: trim(&texts.why),
            how: trim(&texts.how),
            legitimate: trim(&texts.legitimate),
        },
        tags: head.tags.to_vec(),
        checklist: written.checklist.clone(),
        needs: written.needs.clone(),
        version,
        thresholds: written
            .thresholds
            .iter()
            .map(|threshold| number(threshold, head.numbers))
            .collect::<Result<_, _>>()?,
        first_seen: written.first_seen,
        after_hours: written.after_hours,
        file: head.file.to_owned(),
    })
}

/// The number in force, which must lie in the range the rule itself allows.
fn number(threshold: &ThresholdAsWritten, numbers: Option<(u64, u64)>) -> Result<Threshold, ExtrasError> {
    let (count, minutes) = numbers.ok_or(ExtrasError::NoNumber)?;
    let value = if threshold.of == ThresholdOf::Count { count } else { minutes };
    let ThresholdAsWritten { name, min, max, .. } = threshold;
    if !(*min..=*max).contains(&value) {
        return Err(ExtrasError::Threshold { name: name.clone(), value, min: *min, max: *max });
    }
    Ok(Threshold { name: name.clone(), value, min: *min, max: *max })
}

fn levels(written: &[LevelAsWritten], slots: &mut Slots) -> Result<Vec<Level>, ExtrasError> {
    let mut condition = |fields: &BTreeMap<String, OneOrMany>| -> Condition {
        fields.iter().map(|(name, values)| (slots.slot(name), values.texts())).collect()
    };
    let level = |level: &LevelAsWritten| {
        let severity = Severity::parse(&level.level).ok_or_else(|| ExtrasError::Level(level.level.clone()))?;
        let (when, when_any) = (condition(&level.when), condition(&level.when_any));
        Ok(Level { severity, when, when_any, count: level.count.unwrap_or(0) })
    };
    written.iter().map(level).collect()
}

fn window_tests(written: Option<&WindowAsWritten>, slots: &mut Slots) -> Result<Vec<WindowTest>, ExtrasError> {
    let mut test = |test: &TestAsWritten| match (&test.distinct, test.gte, &test.field, &test.is) {
        (Some(name), Some(gte), None, None) => Ok(WindowTest::Distinct { slot: slots.slot(name), gte }),
        (None, None, Some(name), Some(values)) => {
            Ok(WindowTest::Holds { slot: slots.slot(name), values: values.texts() })
        }
        _ => Err(ExtrasError::WindowTest),
    };
    written.into_iter().flat_map(|window| &window.any_of).map(&mut test).collect()
}

fn absence(written: &AbsenceAsWritten) -> Result<Absence, ExtrasError> {
    let span = |text: &str| duration(text).ok_or_else(|| ExtrasError::Span(text.to_owned()));
    let min = written.min.as_deref().map(span).transpose()?.unwrap_or(TimeDelta::zero());
    let max = written.max.as_deref().map(span).transpose()?.unwrap_or(TimeDelta::MAX);
    let mut after = BTreeMap::new();
    for (kind, text) in &written.after {
        let value = span(text)?;
        if value < min || value > max {
            return Err(ExtrasError::Span(text.clone()));
        }
        after.insert(kind.clone(), value);
    }
    let default = after.get("default").copied().ok_or(ExtrasError::NoDefault)?;
    Ok(Absence { of: written.of, after, default })
}

/// What a sentence may say without naming a field.
const SPOKEN: [&str; 8] = ["title", "subject", "object", "count", "first", "last", "period", "distinct"];

/// The words in braces.
fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

/// What is said of a finding, beside the event that speaks for it.
pub(crate) struct Spoken<'a> {
    pub(crate) subject: &'a str,
    pub(crate) object: &'a str,
    pub(crate) count: u64,
    pub(crate) first: DateTime<Utc>,
    pub(crate) last: DateTime<Utc>,
    pub(crate) distinct: u64,
}

impl Voice {
    /// Who it is about; what cannot be told apart is one.
    pub(crate) fn subject<'a>(&self, values: &'a Values) -> &'a str {
        first(values, &self.subject).unwrap_or("不明")
    }

    pub(crate) fn object<'a>(&self, values: &'a Values) -> &'a str {
        first(values, &self.object).unwrap_or("")
    }

    /// The address an event came from.
    pub(crate) fn source<'a>(&self, values: &'a Values) -> Option<&'a str> {
        values.get(self.source)
    }

    /// The first level that holds, else the rule's own. `any` are the values of other events of the evidence.
    pub(crate) fn severity(&self, values: &Values, any: &[&Values], count: u64) -> Severity {
        let holds = |level: &&Level| {
            let by_any = level.when_any.is_empty()
                || meets(&level.when_any, values)
                || any.iter().any(|values| meets(&level.when_any, values));
            level.count <= count && meets(&level.when, values) && by_any
        };
        self.levels.iter().find(holds).map_or(self.severity, |level| level.severity)
    }

    pub(crate) fn speaks_of_distinct(&self) -> bool {
        self.summary.contains("{distinct}")
    }

    /// The sentence of the one case that a disaster makes of all that the rule finds in it.
    pub(crate) fn case_summary(&self, disaster: &Disaster, spoken: &Spoken<'_>) -> String {
        format!(
            "災害モード「{}」の間の「{}」を一つにまとめています（{} 件、{}）。",
            disaster.reason,
            self.title,
            spoken.count,
            period(spoken.first, spoken.last)
        )
    }

    /// The sentence with its values filled in. A field without a value is 不明.
    pub(crate) fn summary(&self, slots: &Slots, values: &Values, spoken: &Spoken<'_>) -> String {
        let mut text = String::with_capacity(self.summary.len() * 2);
        let mut rest = self.summary.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((name, tail)) = after.split_once('}') else { break };
            text.push_str(&self.word(name, slots, values, spoken));
            rest = tail;
        }
        text + rest
    }

    fn word(&self, name: &str, slots: &Slots, values: &Values, spoken: &Spoken<'_>) -> String {
        match name {
            "title" => self.title.clone(),
            "subject" => bare(spoken.subject).to_owned(),
            "object" => bare(spoken.object).to_owned(),
            "count" => spoken.count.to_string(),
            "distinct" => spoken.distinct.to_string(),
            "first" => clock(spoken.first),
            "last" => clock(spoken.last),
            "period" => period(spoken.first, spoken.last),
            field => {
                let value = slots.find(field).and_then(|slot| values.get(slot));
                bare(in_japanese(field, value.unwrap_or("不明"))).to_owned()
            }
        }
    }
}

/// From when to when, as short as it can be said: the minute where all of it happened in one, the day only once.
fn period(first: DateTime<Utc>, last: DateTime<Utc>) -> String {
    let (from, to) = (clock(first), clock(last));
    if from == to {
        return from;
    }
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, minute))) if day == same => format!("{from}〜{minute}"),
        _ => format!("{from}〜{to}"),
    }
}

/// A source without what tells its kind: `ip:192.0.2.1` is an address to who reads it.
pub(crate) fn bare(value: &str) -> &str {
    value.strip_prefix("ip:").or_else(|| value.strip_prefix("host:")).unwrap_or(value)
}

/// Words of closed vocabularies that stand in sentences.
fn in_japanese<'a>(field: &str, value: &'a str) -> &'a str {
    match field {
        "monban.account_class" => match crate::context::AccountClass::parse(value) {
            Some(class) => class.japanese(),
            None => value,
        },
        "monban.ticket" => crate::context::TicketState::parse(value).map_or(value, |state| state.japanese()),
        "monban.account_state" => match value {
            "active" => "在籍",
            "retired" => "退職・契約終了",
            "on_leave" => "休職中",
            "disabled" => "無効",
            "unlisted" => "名簿になし",
            other => other,
        },
        _ => value,
    }
}

fn meets(condition: &Condition, values: &Values) -> bool {
    condition
        .iter()
        .all(|(slot, wanted)| values.get(*slot).is_some_and(|value| wanted.iter().any(|wanted| wanted == value)))
}

/// `10/25 02:14`, JST.
pub(crate) fn clock(time: DateTime<Utc>) -> String {
    time.with_timezone(&JST).format("%-m/%-d %H:%M").to_string()
}

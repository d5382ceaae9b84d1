//! 機器とログ一覧: what sends, since when, how regularly, and what has gone silent.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use monban_audit::wording;
use monban_event::time::{jst_date, jst_midnight};
use monban_event::{Field, TimeRange};
use monban_index::ledger::{SilenceRow, SourceHour, SourceRow};

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::language;
use crate::problem::Problem;
use crate::view::{link, words};

/// Days of the strip.
const DAYS: i64 = 30;

/// A mean difference between receipt and device time above this is shown as a clock that is off.
const SKEW_SHOWN_S: i64 = 60;

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    lines: Vec<Line>,
    counts: String,
}

struct Line {
    name: String,
    product: String,
    listed: bool,
    state: State,
    since: String,
    how: String,
    last: String,
    last_iso: String,
    records: String,
    unparsed: String,
    skew: String,
    days: Vec<Day>,
    days_words: String,
    search: String,
    silences: Vec<String>,
}

struct Day {
    x: i64,
    level: u64,
    title: String,
}

impl Day {
    fn height(&self) -> u64 {
        4 + self.level * 4
    }

    fn y(&self) -> u64 {
        24 - self.height()
    }
}

/// Never by colour alone: each has a mark and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Silent,
    Skewed,
    Fine,
    Imported,
}

impl State {
    pub(crate) fn of(row: &SourceRow, is_silent: bool) -> Self {
        match row.origin.as_str() {
            _ if is_silent => Self::Silent,
            "import" => Self::Imported,
            _ if row.skew_mean_s.abs() > SKEW_SHOWN_S => Self::Skewed,
            _ => Self::Fine,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Silent => "■ 停止",
            Self::Skewed => "▲ 時刻ずれ",
            Self::Fine => "● 正常",
            Self::Imported => "◇ 取込のみ",
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Silent => "bad",
            Self::Skewed => "wait",
            Self::Fine => "good",
            Self::Imported => "mute",
        }
    }
}

pub(crate) async fn show(visit: Visit) -> Answer {
    visit.run(|visit| html(&answer(visit)?)).await
}

fn answer(visit: &Visit) -> Result<SourcesPage, Problem> {
    let now = visit.app.now();
    let today = jst_midnight(jst_date(now));
    let range = TimeRange::between(today - TimeDelta::days(DAYS - 1), today + TimeDelta::days(1));
    let ledger = visit.app.ledger()?;
    let hours = ledger.source_hours(range)?;
    let silences = ledger.silences(range)?;
    let line = |row: SourceRow| {
        let hours: Vec<&SourceHour> = hours.iter().filter(|hour| hour.source == row.id).collect();
        let silences: Vec<&SilenceRow> = silences.iter().filter(|silence| silence.source == row.id).collect();
        line(row, &hours, &silences, range, now)
    };
    let mut lines: Vec<Line> = ledger.sources()?.into_iter().map(line).collect();
    lines.sort_by_key(|line| line.state);
    let counts = counts(&lines);
    Ok(SourcesPage { frame: Frame::of(visit, "機器とログ一覧", Page::Sources)?, lines, counts })
}

fn counts(lines: &[Line]) -> String {
    let of = |state| lines.iter().filter(|line| line.state == state).count();
    format!(
        "● 正常 {}　▲ 時刻ずれ {}　■ 停止 {}　◇ 取込のみ {}",
        of(State::Fine),
        of(State::Skewed),
        of(State::Silent),
        of(State::Imported)
    )
}

fn line(row: SourceRow, hours: &[&SourceHour], silences: &[&SilenceRow], range: TimeRange, now: DateTime<Utc>) -> Line {
    let open = silences.iter().find(|silence| silence.ended.is_none());
    let state = State::of(&row, open.is_some());
    let from = range.from.unwrap_or_default();
    let days = days(&row, hours, from, now);
    let missing = days.iter().filter(|day| day.level == 0).count();
    let how = match row.origin.as_str() {
        "import" => "取込".to_owned(),
        _ => row.transport.to_uppercase(),
    };
    Line {
        search: link::search(
            &language::only(Field::SourceId, &row.id),
            TimeRange::between(now - TimeDelta::hours(24), now),
        ),
        since: open.map_or_else(String::new, |silence| format!("{} 受信なし", wording::length(now - silence.started))),
        product: row.product.clone().or(row.vendor.clone()).unwrap_or_else(|| "機種不明".to_owned()),
        how: match &row.peer {
            Some(peer) => format!("{how}　{peer}"),
            None => how,
        },
        last: wording::stamp(row.last_seen),
        last_iso: wording::iso(row.last_seen),
        records: wording::count(row.records),
        unparsed: unparsed(&row),
        skew: if row.origin == "import" { "—".to_owned() } else { skew_words(row.skew_mean_s) },
        days_words: match missing {
            0 => "30日間に欠けた日はありません".to_owned(),
            days => format!("30日間に欠けた日が {days} 日あります"),
        },
        silences: silences.iter().map(|silence| silence_words(silence)).collect(),
        days,
        state,
        listed: row.listed,
        name: row.name,
    }
}

fn skew_words(skew_s: i64) -> String {
    format!("{skew_s} 秒{}", words::zone_mistake(skew_s).unwrap_or_default())
}

fn unparsed(row: &SourceRow) -> String {
    let permille = (row.unparsed * 1000).checked_div(row.records).unwrap_or(0);
    format!("{}.{}%", permille / 10, permille % 10)
}

fn silence_words(silence: &SilenceRow) -> String {
    let end = silence.ended.map_or_else(|| "継続中".to_owned(), wording::minute_stamp);
    format!("{} 〜 {end}", wording::minute_stamp(silence.started))
}

/// The strip: a bar a day, by the square root of its share of the best day; a day with nothing since the source is
/// known is a gap, unless files were brought in by hand.
fn days(row: &SourceRow, hours: &[&SourceHour], from: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Day> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for hour in hours {
        let start = DateTime::from_timestamp(hour.hour * 3600, 0).unwrap_or_default();
        *counts.entry((start - from).num_days()).or_default() += hour.records;
    }
    let best = counts.values().copied().max().unwrap_or(0).max(1);
    let day = |index: i64| {
        let start = from + TimeDelta::days(index);
        let count = counts.get(&index).copied();
        let expected = row.origin != "import" && start >= row.first_seen && start + TimeDelta::days(1) <= now;
        let stamp = wording::short_stamp(start);
        let date = stamp.split_once(' ').map_or("", |(date, _)| date).to_owned();
        match count {
            Some(count) if count > 0 => {
                let title = format!("{date} {} 件", wording::count(count));
                Some(Day { x: index * 5, level: (count * 25 / best).isqrt().clamp(1, 5), title })
            }
            _ if expected => Some(Day { x: index * 5, level: 0, title: format!("{date} 受信なし") }),
            _ => None,
        }
    };
    (0..DAYS).filter_map(day).collect()
}

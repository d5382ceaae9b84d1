//! What to try when nothing was found: one condition less, or a longer period, and how many that would find.

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::TimeRange;
use monban_event::query::{Query, Test};
use monban_event::store::{AggregateRequest, EventStore, StoreError};
use monban_event::time::JST;

use super::is_scanned;
use super::parser::{Parsed, conjunction, parse, period};
use super::print::print;

/// Conditions taken away one by one; more of them would cost more than they tell.
const CONDITIONS_MAX: usize = 8;

/// Counting for hints ends after so long: the answer itself was given already, and these only help.
const TIME_MAX: TimeDelta = TimeDelta::seconds(2);

/// The period that a shorter one is widened to.
const WIDER: TimeDelta = TimeDelta::days(30);

/// Longer periods are slow to scan.
const LONG: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// A condition taken away.
    Without,
    /// The period widened.
    Wider,
}

/// Another search that finds something.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    pub kind: HintKind,
    /// `action:login を外すと`, `過去30日では`.
    pub label: String,
    pub q: String,
    pub range: TimeRange,
    pub count: u64,
}

impl Hint {
    /// As people read it: `action:login を外すと 34 件`.
    pub fn sentence(&self) -> String {
        format!("{} {} 件", self.label, self.count)
    }
}

/// Searches near to one that found nothing, with what they find; those that find nothing either are left out, and so
/// are those that cannot be counted in time. `chosen` is the period beside the query, `now` the clock.
pub fn hints(
    store: &dyn EventStore,
    parsed: &Parsed,
    chosen: TimeRange,
    now: DateTime<Utc>,
) -> Result<Vec<Hint>, StoreError> {
    let started = std::time::Instant::now();
    let is_late = || started.elapsed() > TIME_MAX.to_std().unwrap_or_default();
    let mut found = Vec::new();
    for candidate in without_each(parsed, chosen, now).into_iter().chain(wider(parsed, chosen, now)) {
        let is_wider_too =
            candidate.kind == HintKind::Wider && found.iter().any(|hint: &Hint| hint.kind == HintKind::Wider);
        if is_late() || is_wider_too {
            continue;
        }
        // It was made from a query that was read, so it is one.
        let Ok(query) = parse(&candidate.q, now) else { continue };
        let range = period(&query).unwrap_or(candidate.range);
        let count = store.aggregate(&AggregateRequest::count(query, range))?.total;
        if count.exact && count.value > 0 {
            found.push(Hint { count: count.value, ..candidate });
        }
    }
    Ok(found)
}

fn without_each(parsed: &Parsed, range: TimeRange, now: DateTime<Utc>) -> Vec<Hint> {
    let conditions: Vec<_> = parsed.conditions.iter().filter(|condition| condition.query != Query::All).collect();
    let others = |without: usize| {
        let kept = conditions.iter().enumerate().filter(move |(index, _)| *index != without);
        kept.map(|(_, condition)| *condition)
    };
    let hint = |(index, condition): (usize, &&super::Condition)| {
        let meant = conjunction(others(index).map(|other| other.query.clone()).collect());
        let typed = others(index).map(|other| other.typed.as_str()).collect::<Vec<_>>().join(" ");
        // What stood beside a condition may have told how its neighbours are read.
        let q = if parse(&typed, now).as_ref() == Ok(&meant) { typed } else { print(&meant) };
        let q = if q.is_empty() { "*".to_owned() } else { q };
        let label = format!("{} を外すと", condition.typed);
        Hint { kind: HintKind::Without, label, q, range, count: 0 }
    };
    conditions.iter().enumerate().take(CONDITIONS_MAX).map(hint).collect()
}

/// Thirty days, then all there is; nothing where the query itself demands a period.
fn wider(parsed: &Parsed, range: TimeRange, now: DateTime<Utc>) -> Vec<Hint> {
    let (Some(from), None) = (range.from, period(&parsed.query)) else { return Vec::new() };
    let to = range.to.unwrap_or(now);
    let hint = |label: String, range| Hint { kind: HintKind::Wider, label, q: parsed.text.clone(), range, count: 0 };
    let mut hints = Vec::new();
    if let Some(start) = to.checked_sub_signed(WIDER).filter(|start| *start < from) {
        let is_recent = (now - to).abs() < TimeDelta::minutes(10);
        let label = if is_recent {
            "過去30日では".to_owned()
        } else {
            format!("{}までの30日では", to.with_timezone(&JST).format("%Y/%m/%d %H:%M "))
        };
        hints.push(hint(label, TimeRange::between(start, to)));
    }
    hints.push(hint("すべての期間では".to_owned(), TimeRange::default()));
    hints
}

/// What to say before a search that will take its time.
pub fn slow_note(query: &Query, range: TimeRange) -> Option<&'static str> {
    let is_long = range.from.zip(range.to).is_none_or(|(from, to)| to - from > LONG);
    if !is_long {
        return None;
    }
    if is_scanned(query) {
        return Some("索引にない条件があり、原文を走査します。24時間を超える期間では時間がかかります。");
    }
    begins_open(query).then_some("先頭に * のある条件は、24時間を超える期間では時間がかかります。")
}

fn begins_open(query: &Query) -> bool {
    match query {
        Query::And(queries) | Query::Or(queries) => queries.iter().any(begins_open),
        Query::Not(query) => begins_open(query),
        Query::Field(_, Test::Wildcard(pattern)) => pattern.starts_with(['*', '?']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use monban_event::store::{Aggregates, SearchPage, SearchRequest, Total};
    use monban_event::{Event, EventId};

    use super::*;
    use crate::query::parse_noting;

    /// Counts by the printed query and whether the period is open.
    struct Counted(Vec<(&'static str, bool, u64)>);

    impl EventStore for Counted {
        fn search(&self, _: &SearchRequest) -> Result<SearchPage, StoreError> {
            Ok(SearchPage::default())
        }

        fn aggregate(&self, request: &AggregateRequest) -> Result<Aggregates, StoreError> {
            let printed = print(&request.query);
            let known =
                self.0.iter().find(|(query, open, _)| *query == printed && *open == request.range.from.is_none());
            let value = known.map_or(0, |(_, _, count)| *count);
            Ok(Aggregates { total: Total { value, exact: true }, ..Aggregates::default() })
        }

        fn event(&self, _: EventId) -> Result<Option<Event>, StoreError> {
            Ok(None)
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-11-20T06:00:00+09:00".parse().unwrap()
    }

    fn hinted(text: &str, counts: Vec<(&'static str, bool, u64)>) -> Vec<String> {
        let day = TimeRange::between(now() - TimeDelta::hours(24), now());
        let found = hints(&Counted(counts), &parse_noting(text, now()).unwrap(), day, now()).unwrap();
        found.iter().map(|hint| format!("{} → {}", hint.sentence(), hint.q)).collect()
    }

    #[test]
    fn each_condition_is_taken_away_as_it_was_typed() {
        let counts = vec![("user:\"tanaka\"", false, 34), ("event.action:\"login\"", false, 2)];
        assert_eq!(
            hinted("user:tanaka AND action:login", counts),
            ["user:tanaka を外すと 2 件 → action:login", "action:login を外すと 34 件 → user:tanaka"]
        );
        assert_eq!(hinted("user:tanaka", vec![("*", false, 7)]), ["user:tanaka を外すと 7 件 → *"]);
        assert!(hinted("user:a OR user:b", vec![("*", false, 7)]).is_empty());
    }

    #[test]
    fn what_a_neighbour_told_is_not_lost() {
        let counts = vec![("\"a\" AND \"not\" AND user:\"x\"", false, 5)];
        assert_eq!(hinted("a not b user:x", counts), ["b を外すと 5 件 → \"a\" AND \"not\" AND user:\"x\""]);
    }

    #[test]
    fn the_period_is_widened_where_the_query_does_not_demand_it() {
        let text = "user:tanaka";
        assert_eq!(hinted(text, vec![("user:\"tanaka\"", false, 12)]), ["過去30日では 12 件 → user:tanaka"]);
        assert_eq!(hinted(text, vec![("user:\"tanaka\"", true, 3)]), ["すべての期間では 3 件 → user:tanaka"]);
        let demanded = hinted("user:tanaka 日時:昨日", vec![("user:\"tanaka\"", false, 3)]);
        assert_eq!(demanded, ["日時:昨日 を外すと 3 件 → user:tanaka"]);
    }

    #[test]
    fn slow_searches_are_told_before() {
        let day = TimeRange::between(now() - TimeDelta::hours(24), now());
        let note = |text: &str, range| slow_note(&parse(text, now()).unwrap(), range);
        for text in ["user:*naka", "raw:x", "tunnelid:7"] {
            assert_eq!(note(text, day), None, "{text}");
            assert!(note(text, TimeRange::default()).unwrap().contains("時間がかかります"), "{text}");
        }
        assert_eq!(note("user:tan*", TimeRange::default()), None);
    }
}

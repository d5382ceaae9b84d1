//! Times in which a hospital is not as usual: its first days under watch, the weeks in which people change their places,
//! and disasters that somebody declared. Owns what such a time changes: rules about what was never seen before run one
//! level lower, and work outside hours is one case. Nothing is passed over in any of them.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use monban_event::Disaster;
use monban_event::time::jst_date;

/// Days from the first record received live in which nearly everything is seen for the first time.
pub const LEARNING_DAYS: u32 = 14;
/// What a hospital may set it to: a day would teach nothing, and after a quarter it is no longer learning.
pub const LEARNING_DAYS_RANGE: std::ops::RangeInclusive<u32> = 0..=90;
/// The weeks around 1 April and 1 October, in which people change: (month, day) of the first and the last day.
const PERSONNEL_CHANGES: [((u32, u32), (u32, u32)); 2] = [((3, 25), (4, 15)), ((9, 25), (10, 15))];

/// What people decided about times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seasons {
    pub learning_days: u32,
    /// In the order they were declared.
    pub disasters: Vec<Disaster>,
}

impl Default for Seasons {
    fn default() -> Self {
        Self { learning_days: LEARNING_DAYS, disasters: Vec::new() }
    }
}

/// Why what is new weighs less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newness {
    Learning,
    PersonnelChange,
}

impl Newness {
    /// What the finding's sentence adds.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Learning => "（使い始めの学習期間のため、重大度を一段下げています。）",
            Self::PersonnelChange => "（人事異動の時期のため、重大度を一段下げています。）",
        }
    }
}

impl Seasons {
    /// `received` is when the first record came in live, where one has.
    pub(crate) fn newness(&self, time: DateTime<Utc>, received: Option<DateTime<Utc>>) -> Option<Newness> {
        let is_learning = received
            .is_some_and(|since| since <= time && time - since < TimeDelta::days(i64::from(self.learning_days)));
        if is_learning {
            return Some(Newness::Learning);
        }
        let date = jst_date(time);
        let day = (date.month(), date.day());
        PERSONNEL_CHANGES.iter().any(|(first, last)| *first <= day && day <= *last).then_some(Newness::PersonnelChange)
    }

    /// The disaster of that time; of several the one declared first, so that a case is not torn apart by another.
    pub(crate) fn disaster(&self, time: DateTime<Utc>) -> Option<&Disaster> {
        self.disasters.iter().find(|disaster| disaster.contains(time))
    }
}

/// What a disaster's case is about: one finding a rule, from its beginning to its end.
pub(crate) fn case_subject(disaster: &Disaster) -> String {
    format!("災害モード {}（{}〜）", disaster.reason, crate::rule::clock(disaster.from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn people_change_around_april_and_october() {
        let newness = |text: &str| Seasons::default().newness(at(text), None);
        for (day, is_season) in [
            ("2027-03-24T23:59:59+09:00", false),
            ("2027-03-25T00:00:00+09:00", true),
            ("2027-04-15T23:59:59+09:00", true),
            ("2027-04-16T00:00:00+09:00", false),
            ("2026-09-25T00:00:00+09:00", true),
            ("2026-10-15T23:00:00+09:00", true),
            ("2026-10-16T00:00:00+09:00", false),
            ("2026-07-01T00:00:00+09:00", false),
        ] {
            assert_eq!(newness(day), is_season.then_some(Newness::PersonnelChange), "{day}");
        }
    }

    #[test]
    fn learning_begins_with_the_first_live_record() {
        let since = at("2026-06-01T09:00:00+09:00");
        let newness = |days, time| Seasons { learning_days: days, ..Seasons::default() }.newness(time, Some(since));
        assert_eq!(newness(14, since + TimeDelta::days(13)), Some(Newness::Learning));
        assert_eq!(newness(14, since + TimeDelta::days(14)), None);
        assert_eq!(newness(30, since + TimeDelta::days(14)), Some(Newness::Learning));
        assert_eq!(newness(0, since), None);
        assert_eq!(newness(14, since - TimeDelta::seconds(1)), None, "what was imported is history");
    }
}

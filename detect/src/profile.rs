//! What the lines of a source have taught us about it: who made it, and how its clock stands to ours. Owns both and
//! their bounds. What is learned here completes lines that say less; it never changes what a line says itself, and
//! `@timestamp` least of all: only a configured zone moves that.
//!
//! A maker is pinned once a run of understood lines names one product and no other, and let go with the first line that
//! names another. So a relay behind which several devices stand pins nothing.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use monban_event::time::TimeRule;
use monban_event::{Event, ParseStatus};
use serde::{Deserialize, Serialize};

/// Understood lines of one product in a row that make it sure: a device says that much within minutes, and a stray line
/// of another form would have come by then.
const PIN_LINES: u32 = 20;

/// Offsets the median is taken of, the latest ones. An odd number; half of them must agree before a step of the clock
/// is believed, and a queue that was held back for a moment does not show.
const OFFSETS: usize = 15;

/// The clock of a device may differ from ours so much before it is worth a word.
const OFFSET_TOLERATED: TimeDelta = TimeDelta::minutes(5);

/// How near to a whole hour an offset must be to mean a zone that is set wrong.
pub(crate) const WHOLE_HOUR_WITHIN_S: i64 = 120;

/// Sources remembered. A hospital group has some hundreds; senders that forge addresses have no end. Above it the source
/// heard of longest ago is forgotten and learned anew.
const SOURCES_MAX: usize = 4_096;

/// Longest name kept of a maker, product or host, in bytes: hostile names must not fill the snapshot.
const NAME_BYTES_MAX: usize = 128;

/// Who made a source, as its own lines say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Maker {
    vendor: String,
    product: Option<String>,
    /// The device's name: two devices behind one address are not one.
    host: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Profile {
    maker: Maker,
    /// Understood lines in a row that named this maker.
    run: u32,
    /// Event time − receipt of the latest live lines, in seconds.
    offsets_s: VecDeque<i64>,
    /// Our clock at the last line, µs.
    touched_us: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profiles {
    /// By the id a source is counted under.
    sources: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Learns from the event, and completes it with what was learned before. True when that changed it.
    pub(crate) fn observe(&mut self, event: &mut Event, arrival_us: i64) -> bool {
        let Some(id) = &event.source_id else { return false };
        if !self.sources.contains_key(id) {
            self.make_room();
            self.sources.insert(id.clone(), Profile::default());
        }
        let Some(profile) = self.sources.get_mut(id) else { return false };
        profile.touched_us = arrival_us;
        let mut told = false;
        match event.parse_status {
            Some(ParseStatus::Full) => profile.learn_maker(event),
            _ => told |= profile.tell_maker(event),
        }
        if let Some(offset_s) = offset_s(event) {
            profile.learn_offset(offset_s);
            told |= profile.tell_offset(event, offset_s);
        }
        told
    }

    fn make_room(&mut self) {
        if self.sources.len() < SOURCES_MAX {
            return;
        }
        let oldest = self.sources.iter().min_by_key(|(_, profile)| profile.touched_us).map(|(id, _)| id.clone());
        if let Some(id) = oldest {
            self.sources.remove(&id);
        }
    }
}

impl Profile {
    fn learn_maker(&mut self, event: &Event) {
        let Some(vendor) = event.observer_vendor.as_deref() else { return };
        let is_same = self.maker.vendor == cut(vendor)
            && self.maker.product.as_deref() == event.observer_product.as_deref().map(cut)
            && self.maker.host.as_deref() == event.device().map(cut);
        if is_same {
            self.run = self.run.saturating_add(1);
            return;
        }
        self.maker = Maker {
            vendor: cut(vendor).to_owned(),
            product: event.observer_product.as_deref().map(|product| cut(product).to_owned()),
            host: event.device().map(|host| cut(host).to_owned()),
        };
        self.run = 1;
    }

    /// Names the maker of a line that nobody understood, unless the line names another device or maker itself.
    fn tell_maker(&self, event: &mut Event) -> bool {
        let names_another = match (event.device(), &self.maker.host) {
            (Some(host), Some(known)) => cut(host) != known,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if self.run < PIN_LINES || names_another || event.observer_vendor.is_some() || event.module.is_some() {
            return false;
        }
        event.observer_vendor = Some(self.maker.vendor.clone());
        event.observer_product.clone_from(&self.maker.product);
        event.parse_confidence = Some("low".to_owned());
        note(event, "maker taken from earlier lines");
        true
    }

    fn learn_offset(&mut self, offset_s: i64) {
        if self.offsets_s.len() >= OFFSETS {
            self.offsets_s.pop_front();
        }
        self.offsets_s.push_back(offset_s);
    }

    /// The median, once there are enough to have one that means something.
    fn median_s(&self) -> Option<i64> {
        if self.offsets_s.len() < OFFSETS {
            return None;
        }
        let mut latest = [0; OFFSETS];
        latest.iter_mut().zip(&self.offsets_s).for_each(|(place, offset_s)| *place = *offset_s);
        Some(*latest.select_nth_unstable(OFFSETS / 2).1)
    }

    /// Says how the clock stands, on lines whose own time bears it out: a line that was held back does not.
    fn tell_offset(&self, event: &mut Event, offset_s: i64) -> bool {
        let tolerated = OFFSET_TOLERATED.num_seconds();
        let wrong = self.median_s().filter(|median_s| median_s.saturating_abs() > tolerated);
        let told = wrong.filter(|median_s| offset_s.saturating_sub(*median_s).saturating_abs() <= tolerated);
        if let Some(median_s) = told {
            note(event, &offset_words(median_s));
        }
        told.is_some()
    }
}

/// `clock +9h` where the zone is set wrong, `clock -13m` where the clock is.
fn offset_words(offset_s: i64) -> String {
    let hours = (offset_s.saturating_add(offset_s.signum() * 1_800)) / 3_600;
    if hours != 0 && (offset_s - hours * 3_600).abs() <= WHOLE_HOUR_WITHIN_S {
        return format!("clock {hours:+}h");
    }
    format!("clock {:+}m", offset_s / 60)
}

/// Event time − receipt of a line that was received, not imported, and whose device said the time.
pub(crate) fn offset_s(event: &Event) -> Option<i64> {
    let is_live = event.file_path.is_none() && event.time_rule.is_some_and(|rule| rule != TimeRule::Receive);
    let (time, received) = event.event_time.zip(event.ingested).filter(|_| is_live)?;
    Some((time - received).num_seconds())
}

fn note(event: &mut Event, words: &str) {
    let notes = event.parse_note.take();
    event.parse_note = Some(notes.map_or_else(|| words.to_owned(), |notes| format!("{notes}, {words}")));
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};

    fn received() -> DateTime<Utc> {
        "2026-03-03T00:00:00Z".parse().unwrap()
    }

    fn known(vendor: &str, host: Option<&str>) -> Event {
        Event {
            source_id: Some("ip:192.0.2.1".to_owned()),
            parse_status: Some(ParseStatus::Full),
            observer_vendor: Some(vendor.to_owned()),
            observer_product: Some("X".to_owned()),
            observer_hostname: host.map(str::to_owned),
            ingested: Some(received()),
            ..Event::default()
        }
    }

    fn unknown(host: Option<&str>) -> Event {
        Event {
            parse_status: Some(ParseStatus::Header),
            observer_vendor: None,
            observer_product: None,
            ..known("", host)
        }
    }

    /// The vendor that an unknown line of that host gets after these lines.
    fn vendor_after(lines: &[(&str, Option<&str>, u32)], host: Option<&str>) -> Option<String> {
        let mut profiles = Profiles::default();
        for &(vendor, host, times) in lines {
            (0..times).for_each(|_| assert!(!profiles.observe(&mut known(vendor, host), 0)));
        }
        let mut event = unknown(host);
        profiles.observe(&mut event, 0);
        assert_eq!(event.observer_vendor.is_some(), event.parse_confidence.is_some());
        event.observer_vendor
    }

    #[test]
    fn a_maker_is_pinned_by_a_run_of_its_lines() {
        let fortinet = Some("Fortinet".to_owned());
        assert_eq!(vendor_after(&[("Fortinet", None, PIN_LINES)], None), fortinet);
        assert_eq!(vendor_after(&[("Fortinet", Some("fw1"), PIN_LINES)], Some("fw1")), fortinet);
        // FortiGate tells its name in the body, so a line that was not understood has none.
        assert_eq!(vendor_after(&[("Fortinet", Some("fw1"), PIN_LINES)], None), fortinet);
        assert_eq!(vendor_after(&[("Fortinet", None, PIN_LINES - 1)], None), None);
    }

    #[test]
    fn another_maker_or_device_loosens_the_pin() {
        assert_eq!(vendor_after(&[("Fortinet", None, 50), ("Cisco", None, 1)], None), None);
        assert_eq!(vendor_after(&[("A", None, 50), ("B", None, PIN_LINES)], None), Some("B".to_owned()));
        assert_eq!(vendor_after(&[("Fortinet", Some("fw1"), 50), ("Fortinet", Some("fw2"), 1)], None), None);
        assert_eq!(vendor_after(&[("Fortinet", Some("fw1"), 50)], Some("sw1")), None);
    }

    fn at_offset(seconds: i64) -> Event {
        Event {
            event_time: Some(received() + TimeDelta::seconds(seconds)),
            time_rule: Some(TimeRule::Local),
            ..unknown(None)
        }
    }

    /// The note on a line of that offset, after a run of lines of the first one.
    fn note_after(run_s: i64, then_s: i64) -> Option<String> {
        let mut profiles = Profiles::default();
        for _ in 0..OFFSETS {
            profiles.observe(&mut at_offset(run_s), 0);
        }
        let mut event = at_offset(then_s);
        profiles.observe(&mut event, 0);
        assert_eq!(event.event_time, at_offset(then_s).event_time, "the time itself stays");
        event.parse_note
    }

    #[test]
    fn a_zone_set_wrong_is_told_from_a_clock_set_wrong() {
        assert_eq!(note_after(9 * 3600 + 3, 9 * 3600).as_deref(), Some("clock +9h"));
        assert_eq!(note_after(-9 * 3600 - 40, -9 * 3600).as_deref(), Some("clock -9h"));
        assert_eq!(note_after(-13 * 60, -13 * 60).as_deref(), Some("clock -13m"));
        assert_eq!(note_after(2, 3), None);
    }

    #[test]
    fn a_line_held_back_says_nothing_of_the_clock() {
        assert_eq!(note_after(1, -3600), None);
        assert_eq!(note_after(9 * 3600, 5 * 3600), None);
    }

    #[test]
    fn imports_and_lines_without_a_time_teach_nothing() {
        let mut profiles = Profiles::default();
        for _ in 0..OFFSETS {
            let imported = Event { file_path: Some("a.log".to_owned()), ..at_offset(32_400) };
            let timeless = Event { time_rule: Some(TimeRule::Receive), ..at_offset(32_400) };
            for mut event in [imported, timeless] {
                profiles.observe(&mut event, 0);
            }
        }
        assert!(profiles.sources.values().all(|profile| profile.offsets_s.is_empty()));
    }

    #[test]
    fn sources_are_bounded_and_survive_a_snapshot() {
        let mut profiles = Profiles::default();
        for number in 0..SOURCES_MAX + 10 {
            let mut event = Event { source_id: Some(format!("ip:{number}")), ..at_offset(0) };
            profiles.observe(&mut event, i64::try_from(number).unwrap());
        }
        assert_eq!(profiles.sources.len(), SOURCES_MAX);
        assert!(!profiles.sources.contains_key("ip:0"));
        let text = serde_json::to_string(&profiles).unwrap();
        assert_eq!(serde_json::from_str::<Profiles>(&text).unwrap(), profiles);
    }
}

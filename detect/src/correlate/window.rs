//! What the windows are made of: the hits of one key in their order, and the key. A flood makes a window of one hit for
//! every address that tries once, so both are as small as they can be.

use std::borrow::Borrow;
use std::sync::Arc;

use monban_event::EventId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Place of a hit in its window: event time (µs), event id, and which of the correlation's rules it is of.
pub(super) type Place = (i64, EventId, usize);

/// Hits of a window in order; true where the hit completes the condition. A list: nearly every hit comes last, and a
/// window is bounded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Place, bool)>")]
pub(super) struct Hits(Vec<(Place, bool)>);

impl From<Vec<(Place, bool)>> for Hits {
    fn from(mut hits: Vec<(Place, bool)>) -> Self {
        hits.sort_unstable();
        hits.dedup_by_key(|(place, _)| *place);
        Self(hits)
    }
}

impl Hits {
    /// Puts a hit in its place; `false` where it stands there.
    pub(super) fn insert(&mut self, place: Place) -> bool {
        let Err(at) = self.find(place) else { return false };
        if self.0.is_empty() {
            // Most keys of a flood are never heard of again.
            self.0.reserve_exact(1);
        }
        self.0.insert(at, (place, false));
        true
    }

    pub(super) fn complete(&mut self, place: Place) {
        if let Ok(at) = self.find(place)
            && let Some((_, complete)) = self.0.get_mut(at)
        {
            *complete = true;
        }
    }

    pub(super) fn remove(&mut self, place: Place) {
        if let Ok(at) = self.find(place) {
            self.0.remove(at);
        }
    }

    pub(super) fn contains(&self, place: Place) -> bool {
        self.find(place).is_ok()
    }

    /// From one place to another, both included.
    pub(super) fn range(&self, from: Place, to: Place) -> &[(Place, bool)] {
        let start = self.0.partition_point(|(place, _)| *place < from);
        let end = self.0.partition_point(|(place, _)| *place <= to);
        self.0.get(start..end).unwrap_or_default()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().map(|(place, _)| *place)
    }

    pub(super) fn completed(&self) -> impl Iterator<Item = Place> {
        self.0.iter().filter(|(_, complete)| *complete).map(|(place, _)| *place)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn find(&self, place: Place) -> Result<usize, usize> {
        // The latest is asked first: that is where a hit in time goes.
        match self.0.last() {
            Some((last, _)) if *last < place => Err(self.0.len()),
            None => Err(0),
            Some(_) => self.0.binary_search_by_key(&place, |(place, _)| *place),
        }
    }
}

/// Values of the fields that a window goes by, as one text that several lists share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Arc<str>);

impl Key {
    /// The text of several values, in front of each but the last its length: so no two rows of values make one text.
    /// `None` where one of them is missing.
    pub(super) fn text<'a>(values: impl ExactSizeIterator<Item = Option<&'a str>>) -> Option<String> {
        let (mut text, last) = (String::new(), values.len().saturating_sub(1));
        for (place, value) in values.enumerate() {
            let value = value?;
            if place < last {
                text.push_str(&value.len().to_string());
                text.push(':');
            }
            text.push_str(value);
        }
        Some(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monban_event::RecordId;

    fn place(time: i64, id: u64) -> Place {
        (time, EventId::new(RecordId(id), 0), 0)
    }

    #[test]
    fn hits_stand_in_order_however_they_came() {
        let mut hits = Hits::default();
        for (time, is_new) in [(5, true), (9, true), (1, true), (5, false), (7, true)] {
            assert_eq!(hits.insert(place(time, 1)), is_new);
        }
        hits.complete(place(7, 1));
        let times = |hits: &[(Place, bool)]| hits.iter().map(|(place, _)| place.0).collect::<Vec<_>>();
        assert_eq!(times(hits.range(place(5, 1), place(9, 0))), [5, 7]);
        assert_eq!(hits.completed().collect::<Vec<_>>(), [place(7, 1)]);
        hits.remove(place(5, 1));
        assert_eq!((hits.len(), hits.contains(place(5, 1)), hits.contains(place(1, 1))), (3, false, true));
    }

    #[test]
    fn different_values_make_different_keys() {
        let text = |values: &[&str]| Key::text(values.iter().copied().map(Some));
        assert_ne!(text(&["a", "1:b"]), text(&["a1", ":b"]));
        assert_ne!(text(&["", "a"]), text(&["a", ""]));
        assert_eq!(text(&["山田"]), Some("山田".to_owned()));
        assert_eq!(Key::text([Some("a"), None].into_iter()), None);
    }
}

//! The checklist editions, which are data: the ministry renumbers the items between years, so no number stands in code.

use serde::{Deserialize, Serialize};

/// An edition of the checklist, and the items that access logs are evidence for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    pub edition: String,
    pub name: String,
    pub note: String,
    #[serde(rename = "item")]
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub key: String,
    /// `None` where the number of this edition is not confirmed.
    pub number: Option<String>,
    pub title: String,
    pub proves: String,
    pub not_proves: String,
}

impl Item {
    pub fn number_text(&self) -> &str {
        self.number.as_deref().unwrap_or("番号未確認")
    }
}

const EDITIONS: [(&str, &str); 3] = [
    ("R5", include_str!("../checklist/R5.toml")),
    ("R6", include_str!("../checklist/R6.toml")),
    ("R7", include_str!("../checklist/R7.toml")),
];

impl Edition {
    /// The edition of that name (`R6`); `None` when this program does not carry it.
    pub fn named(name: &str) -> Option<Self> {
        let (_, text) = EDITIONS.into_iter().find(|(edition, _)| *edition == name)?;
        // A test reads every checklist of this program, so the file is never the reason for `None`.
        toml::from_str(text).ok()
    }

    /// The names this program carries, oldest first.
    pub fn names() -> [&'static str; 3] {
        EDITIONS.map(|(name, _)| name)
    }

    /// The item that is about access logs.
    pub fn access_log(&self) -> Option<&Item> {
        self.items.iter().find(|item| item.key == "access_log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edition_can_be_read_and_has_the_access_log_item() {
        for name in Edition::names() {
            let edition = Edition::named(name).expect(name);
            assert_eq!(edition.edition, name);
            assert!(edition.access_log().is_some(), "{name}");
        }
    }

    #[test]
    fn a_number_nobody_confirmed_is_not_printed() {
        let edition = Edition::named("R7").expect("an edition");
        assert!(edition.items.iter().all(|item| item.number_text() == "番号未確認"));
        let known = Edition::named("R6").expect("an edition");
        assert_eq!(known.access_log().map(Item::number_text), Some("2-(6)"));
    }
}

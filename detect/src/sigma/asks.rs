//! Which rules ask what earlier lines say of an event. They can only be answered at the event's place among the others,
//! all other rules anywhere and in parallel. Where it cannot be told, a rule is taken to ask: that only costs time.

use rsigma_parser::{Detection, DetectionItem, Detections, Modifier};

use crate::recall::PREFIXES;

/// Whether any of the detections looks at a recalled value.
pub(super) fn asks_memory(detections: &Detections) -> bool {
    detections.named.values().any(asks)
}

pub(super) fn asks(detection: &Detection) -> bool {
    match detection {
        Detection::AllOf(items) => items.iter().any(item_asks),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().any(asks),
        // Keywords are looked for in what the line itself says.
        Detection::Keywords(_) => false,
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => true,
    }
}

pub(super) fn item_asks(item: &DetectionItem) -> bool {
    // Such a value is the name of a field, and made of parts that need not be looked into for so few rules.
    let names_a_field = item.field.modifiers.contains(&Modifier::FieldRef);
    let is_recalled = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    names_a_field || item.field.name.as_deref().is_some_and(is_recalled)
}

#[cfg(test)]
mod tests {
    use rsigma_parser::parse_sigma_yaml;

    use super::*;

    fn asks_in(selection: &str) -> bool {
        let text = format!(
            "title: t\nlogsource: {{product: monban}}\ndetection:\n  one: {{a: b}}\n  two: {selection}\n  condition: one and two\n"
        );
        let collection = parse_sigma_yaml(&text).unwrap();
        asks_memory(&collection.rules[0].detection)
    }

    #[test]
    fn a_rule_asks_where_any_part_of_it_does() {
        for selection in
            ["{seen.source: new}", "{c: d, session.minutes|gte: 5}", "[{c: d}, {seen.host: new}]", "{c|fieldref: d}"]
        {
            assert!(asks_in(selection), "{selection}");
        }
        for selection in ["{c: seen.source}", "[seen.source, word]", "[{c: d}, {unseen.host: new}]"] {
            assert!(!asks_in(selection), "{selection}");
        }
    }
}

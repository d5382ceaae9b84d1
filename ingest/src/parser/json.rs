//! A JSON object in a line's body as flat names and texts. Owns the walk and its bounds; never what a name means.

use serde_json::Value;

/// How deep members are followed: forwarders nest three or four levels, a hostile object as many as it likes.
const DEPTH_MAX: usize = 8;

/// Most members read of one object.
const MEMBERS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

/// The members of an object, nested names joined with a dot, in the order of the object's keys.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<(String, String)>);

impl Members {
    /// The value of the first of these names that is there and not empty.
    pub(super) fn first(&self, names: &[&str]) -> &str {
        names.iter().find_map(|name| self.get(name)).unwrap_or("")
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(member, value)| *member == name && !value.is_empty()).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads the object that begins at the start of `text`; what follows it is left alone.
pub(super) fn members(text: &str) -> Option<Members> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let value = serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()?;
    let mut members = Members::default();
    push(&mut members, "", &value, DEPTH_MAX);
    Some(members)
}

fn push(members: &mut Members, name: &str, value: &Value, depth: usize) {
    if members.0.len() >= MEMBERS_MAX {
        return;
    }
    match value {
        Value::Null => {}
        Value::Object(_) | Value::Array(_) if depth == 0 => {}
        Value::Object(object) => {
            for (member, value) in object {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                push(members, &name, value, depth - 1);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| push(members, name, item, depth - 1)),
        Value::String(text) => members.0.push((name.to_owned(), text.clone())),
        other => members.0.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_members_have_dotted_names() {
        let found = members(r#"{"a": {"b": 1, "c": [true, "x"]}, "d": null, "e": ""} tail"#).expect("an object");
        assert_eq!(found.iter().collect::<Vec<_>>(), [("a.b", "1"), ("a.c", "true"), ("a.c", "x"), ("e", "")]);
        assert_eq!(found.first(&["e", "a.b"]), "1");
        assert!(members("[1]").is_none() && members("{\"a\":").is_none());
    }
}
